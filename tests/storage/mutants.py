"""Breaks the storage engine in one place after the other and expects the crash tests to notice.

    python3 tests/storage/mutants.py [--only TEXT] [--jobs N]

Works on a copy of the sources in build/mutants; the first build there takes minutes, each mutant some seconds. Fails when a
mutant is not caught, or when the text that it replaces is not there any more: then bring the table up to date.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRASH, CALLS = "shoal_crash_test", "shoal_system_call_test"

# What is broken, file, text, text instead, test program, its filter.
MUTANTS = [
    ("an acknowledgement before the fsync", "storage/committer.cc",
     "if (options_.wal_sync == WalSync::kAlways) return SyncWal();",
     "if (options_.wal_sync == WalSync::kAlways) return absl::OkStatus();", CRASH, "EngineCrash*"),
    ("a second try of a failed fsync", "storage/fs/posix_file_system.cc",
     "if (::fdatasync(fd_) != 0) return", "if (::fdatasync(fd_) != 0 && ::fdatasync(fd_) != 0) return", CALLS, "*"),
    ("no fsync of the folder of a new segment", "storage/log/segmented_log.cc",
     "if (status.ok() && !dir_synced) status = options_.fs->SyncDir(options_.dir);", "(void)dir_synced;",
     CRASH, "EngineCrash*"),
    ("the checksum of a page is not compared", "storage/page/page_codec.cc",
     "if (stored != computed) {", "if (stored != computed && page.empty()) {", CRASH, "Rot*"),
    ("the checksum of a log fragment is not compared", "storage/log/log_reader.cc",
     "LogFragmentChecksum(rest.substr(kLogChecksumBytes), segment_, offset)) {",
     "LogFragmentChecksum(rest.substr(kLogChecksumBytes), segment_, offset) && rest.empty()) {", CRASH, "WalDamage*"),
    ("damage in the log is passed over in silence", "storage/log/log_reader.cc",
     "++report_.damaged_regions;", "", CRASH, "WalDamage*"),
    ("the replay stops one record early", "storage/recovery.cc",
     "if (!found) break;\n", "if (!found) break;\n    std::string ahead;\n"
     "    if (!*wal.NewCursor(cursor->position())->Next(&ahead)) break;\n", CRASH, "WalDamage*"),
    ("the replay stops at a bad record", "storage/log/log_reader.cc",
     "CountDamage(position_, next);", "CountDamage(position_, next);\n    return false;", CRASH, "WalDamage*"),
    ("rollups leave late points out", "storage/archive_writer.cc",
     "if (!points.empty()) late.push_back({item.series, points});\n    }\n  }\n  // Merging",
     "if (points.size() > 1000) late.push_back({item.series, points});\n    }\n  }\n  // Merging", CRASH, "EngineCrash*"),
    ("the journal is not synced", "storage/ring/double_write.cc",
     "return file_->Sync();", "return absl::OkStatus();", CRASH, "EngineCrash*:RingStoreCrash*"),
    ("the ring files are not synced", "storage/ring/ring_commit.cc",
     "for (const auto& [name, file] : touched_) SHOAL_RETURN_IF_ERROR(file->Sync());", "", CRASH,
     "EngineCrash*:RingStoreCrash*"),
    ("the log is let go before its points are in the ring files", "storage/flusher.cc",
     "absl::Status status = WritePending();",
     "SHOAL_RETURN_IF_ERROR(wal_->TruncateBefore(position_));\n  absl::Status status = WritePending();",
     CRASH, "EngineCrash*"),
    ("a small file is renamed before it is synced", "storage/fs/file_system.cc",
     "SHOAL_RETURN_IF_ERROR(file->Sync());", "", CRASH, "EngineCrash*"),
    ("the index forgets a series before its slots are free", "storage/flusher.cc",
     "  std::map<SchemaId, std::vector<SeriesId>> deleted_of;",
     "  SHOAL_RETURN_IF_ERROR(index_->Persist());\n  std::map<SchemaId, std::vector<SeriesId>> deleted_of;",
     CRASH, "EngineCrash*"),
    ("points whose slot cannot be read are taken for absent", "storage/ring/ring_reader.cc",
     "if (leases.empty() && !lost_slots) return", "lost_slots = false;\n  if (leases.empty()) return", CRASH, "Rot*"),
]


def build(folder, targets, jobs):
    return subprocess.run(["ninja", "-C", str(folder / "out"), f"-j{jobs}", *targets], capture_output=True, text=True)


def prepare(folder, jobs):
    """A copy of the tracked sources as they are now, configured and built."""
    source = folder / "src"
    shutil.rmtree(source, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    subprocess.run(["cmake", "-S", str(source), "-B", str(folder / "out"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                    "-DSHOAL_TESTS=ON"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    built = build(folder, [CRASH, CALLS], jobs)
    if built.returncode != 0:
        sys.exit(built.stdout[-4000:])
    return source


def caught(folder, source, mutant, jobs):
    what, name, old, new, program, tests = mutant
    path = source / name
    text = path.read_text()
    if text.count(old) != 1:
        return f"the text to replace is there {text.count(old)} times"
    path.write_text(text.replace(old, new))
    try:
        built = build(folder, [program], jobs)
        if built.returncode != 0:
            return "does not build:\n" + built.stdout[-2000:]
        try:
            run = subprocess.run([str(folder / "out" / "tests" / program), f"--gtest_filter={tests}", "--gtest_brief=1",
                                  "--gtest_fail_fast"], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return ""  # it hangs: noticed as well
        return "" if run.returncode != 0 else "NOT CAUGHT"
    finally:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the mutants whose description contains this")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    folder = ROOT / "build" / "mutants"
    source = prepare(folder, arguments.jobs)
    for program, tests in ((CRASH, "*"), (CALLS, "*")):
        run = subprocess.run([str(folder / "out" / "tests" / program), f"--gtest_filter={tests}", "--gtest_brief=1"],
                             capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{program} fails without a mutant:\n{run.stdout[-2000:]}")
    missed = 0
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant[0]]
    for mutant in chosen:
        begun = time.monotonic()
        why = caught(folder, source, mutant, arguments.jobs)
        missed += why != ""
        print(f"{'caught' if not why else why}: {mutant[0]} ({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"{len(chosen)} mutants, {missed} not caught")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
