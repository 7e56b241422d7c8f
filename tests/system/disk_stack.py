"""A disk whose faults a test commands: a file behind nbdkit's filters, nbdfuse, a loop device and ext4.

    with DiskStack(dir, mib=128) as disk:
        ... disk.mount is an ext4 folder ...
        disk.fail_writes(True)      # every block write fails from now on: fsync returns EIO
        disk.power_cut(); disk.start()   # what was written and not flushed is gone

Needs root, /dev/fuse and loop devices. `missing()` says what is not there.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

SKIP = 77  # exit code of a test that cannot run here: CTest's SKIP_RETURN_CODE


def missing():
    """Why a disk stack cannot be built here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("nbdkit", "nbdfuse", "losetup", "mkfs.ext4", "mount", "umount"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"needs {program}"
    if not os.path.exists("/dev/fuse") or not os.path.exists("/dev/loop-control"):
        return "needs /dev/fuse and loop devices"
    return ""


def skip_unless_possible():
    why = missing()
    if why:
        print(f"skipped: {why}")
        sys.exit(SKIP)


def run(*command, check=True):
    return subprocess.run([str(part) for part in command], check=check, capture_output=True, text=True).stdout.strip()


def wait_for(condition, what, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.01)


class DiskStack:
    def __init__(self, directory, mib=128, write_back=False):
        """`write_back`: blocks live in nbdkit's memory until a flush; else faults can be switched on."""
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.image, self.socket = self.dir / "disk.img", self.dir / "nbd.sock"
        self.fuse, self.mount = self.dir / "fuse", self.dir / "mnt"
        self.write_back = write_back
        self.nbdkit = self.nbdfuse = self.loop = None
        self.mounted = False
        self.fuse.mkdir()
        self.mount.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)

    def __enter__(self):
        try:
            self.start(make=True)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def start(self, make=False):
        if self.write_back:
            filters = ["--filter=cache", "file", self.image, "cache=writeback", "cache-max-size=100M"]
        else:
            filters = ["--filter=error", "file", self.image, "error=EIO",
                       "error-pwrite-rate=100%", f"error-pwrite-file={self.dir}/fail-writes",
                       "error-pread-rate=100%", f"error-pread-file={self.dir}/fail-reads"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                 "start_new_session": True}
        self.nbdkit = subprocess.Popen(["nbdkit", "-f", "-U", str(self.socket)] + [str(f) for f in filters], **quiet)
        wait_for(self.socket.exists, "nbdkit's socket")
        self.nbdfuse = subprocess.Popen(["nbdfuse", str(self.fuse / "disk"), "--unix", str(self.socket)], **quiet)
        wait_for((self.fuse / "disk").exists, "nbdfuse's file")
        self.loop = run("losetup", "-f", "--show", self.fuse / "disk")
        if make:
            run("mkfs.ext4", "-q", "-F", self.loop)
        run("mount", self.loop, self.mount)
        self.mounted = True

    def fail_writes(self, failing):
        self._switch("fail-writes", failing)

    def fail_reads(self, failing):
        self._switch("fail-reads", failing)
        if failing:
            run("sync")
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")

    def _switch(self, name, on):
        if on:
            (self.dir / name).touch()
        else:
            (self.dir / name).unlink(missing_ok=True)

    def power_cut(self):
        """What nbdkit has not been told to flush is gone. The node must have been killed."""
        self.nbdkit.kill()
        self.nbdkit.wait()
        self._take_down()

    def remount(self):
        """After an error ext4 may have gone read-only: a clean mount again."""
        self._unmount()
        run("mount", self.loop, self.mount)
        self.mounted = True

    def _unmount(self):
        if self.mounted:
            if subprocess.run(["umount", str(self.mount)], capture_output=True).returncode != 0:
                run("umount", "-l", self.mount, check=False)
            self.mounted = False

    def _take_down(self):
        self._unmount()
        if self.loop:
            run("losetup", "-d", self.loop, check=False)
            self.loop = None
        for process in (self.nbdfuse, self.nbdkit):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        run("umount", "-l", self.fuse, check=False)
        self.nbdkit = self.nbdfuse = None
        self.socket.unlink(missing_ok=True)

    def close(self):
        for name in ("fail-writes", "fail-reads"):
            self._switch(name, False)
        self._take_down()
        shutil.rmtree(self.dir, ignore_errors=True)


class LoopDisk:
    """A small ext4 on a loop device; `on`: the folder (a full tmpfs, say) where its image lies."""

    def __init__(self, directory, mib, on=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.mount = self.dir / "mnt"
        self.mount.mkdir()
        self.image = pathlib.Path(on or self.dir) / "disk.img"
        self.mib = mib

    def __enter__(self):
        with open(self.image, "wb") as image:
            image.truncate(self.mib << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        run("mount", "-o", "loop", self.image, self.mount)
        return self

    def repair(self):
        """Unmounted, checked and mounted again, as an operator would after an error."""
        run("umount", self.mount)  # the loop device goes with it
        run("e2fsck", "-f", "-y", self.image, check=False)
        run("mount", "-o", "loop", self.image, self.mount)

    def __exit__(self, kind, value, trace):
        run("umount", self.mount, check=False)
        if os.path.ismount(self.mount):
            run("umount", "-l", self.mount, check=False)
        self.image.unlink(missing_ok=True)
        shutil.rmtree(self.dir, ignore_errors=True)


class Tmpfs:
    def __init__(self, directory, mib):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.mib = mib

    def __enter__(self):
        run("mount", "-t", "tmpfs", "-o", f"size={self.mib}m", "tmpfs", self.dir)
        return self

    def __exit__(self, kind, value, trace):
        run("umount", self.dir, check=False)
        if os.path.ismount(self.dir):
            run("umount", "-l", self.dir, check=False)
