#!/usr/bin/env python3
"""Fails on an #include against the layers of the tree, naming file, line and rule.

Lower layers must not know upper ones: storage builds without gRPC, the router without LevelDB, and node and router
never include each other. ALLOWED says what each layer may include besides itself; LIBRARIES says where a library
may be included at all. The pictures to both are in docs/architecture.md.
"""

import argparse
import pathlib
import re
import sys

# Layer -> the layers that it may include. A file belongs to the layer with the longest matching path.
ALLOWED = {
    "base": [],
    "base/metric": ["base"],
    "base/cluster": ["base/metric", "base"],
    "base/net": ["base"],
    "storage/fs": ["base"],
    "storage/log": ["storage/fs", "base"],
    "storage": ["storage/log", "storage/fs", "base/metric", "base"],
    "proto": ["base/cluster", "base/metric", "base"],
    "node": ["storage", "storage/log", "storage/fs", "proto", "base/cluster", "base/metric", "base/net", "base"],
    # Never storage itself: the router's spool is the record log and nothing else of the engine.
    "router": ["storage/log", "storage/fs", "proto", "base/cluster", "base/metric", "base/net", "base"],
}
# Tools and tests may include anything, but nothing includes them.
UNRESTRICTED = ["bench", "deploy", "tests"]

# Start of the included path -> the paths under which it may be included.
LIBRARIES = {
    "leveldb/": ["storage/index"],
    "boost/": ["base/net", "router/ingest"],
    "toml++/": ["base/config.cc"],
    "spdlog/": ["base/logging.cc"],
    "grpc": ["proto", "node", "router/forward", "router/main.cc"],
    "google/protobuf/": ["proto", "node", "router"],
    "zstd.h": ["router/ingest/http_body.cc"],
    "snappy.h": ["router/ingest/http_body.cc"],
}
GENERATED = re.compile(r"^[\w/.]+\.pb\.h$")
GENERATED_ALLOWED = ["proto", "node", "router"]

FOLDERS = ["base", "storage", "proto", "node", "router", *UNRESTRICTED]
SKIPPED = {"node_modules", "build"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def is_under(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


def layer_of(path):
    """The layer of a path relative to the root, or None for a path outside of all."""
    matches = [layer for layer in [*ALLOWED, *UNRESTRICTED] if is_under(path, layer)]
    return max(matches, key=len, default=None)


def broken_rule(source, included, quoted):
    """Why `source`, a path, may not include `included`; None when it may."""
    source_layer = layer_of(source)
    if source_layer in UNRESTRICTED:
        return None
    if GENERATED.match(included):
        if not any(is_under(source, place) for place in GENERATED_ALLOWED):
            return f"generated protobuf code belongs to {', '.join(GENERATED_ALLOWED)} only"
        return None
    for library, places in LIBRARIES.items():
        if included.startswith(library):
            if not any(is_under(source, place) for place in places):
                return f"{library.rstrip('/')} may be included in {', '.join(places)} only"
            return None
    layer = layer_of(included)
    if layer is None:
        if quoted and "/" not in included:
            return "include from the root of the repository"
        return None
    if layer in UNRESTRICTED:
        return f"nothing includes {layer}"
    if layer != source_layer and layer not in ALLOWED[source_layer]:
        allowed = ", ".join(ALLOWED[source_layer]) or "nothing"
        return f"{source_layer} may include {allowed} besides itself, not {layer}"
    return None


def check_tree(root):
    """The broken rules of a tree, as printable lines, and the number of files that were read."""
    problems = []
    count = 0
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            if path.suffix not in {".h", ".cc", ".inc"} or SKIPPED & set(relative.parts):
                continue
            count += 1
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), start=1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                included = match.group(1) or match.group(2)
                rule = broken_rule(relative.as_posix(), included, quoted=match.group(1) is not None)
                if rule:
                    problems.append(f"{relative.as_posix()}:{number}: #include {included}: {rule}")
    return problems, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    root = parser.parse_args().root
    problems, count = check_tree(root)
    for problem in problems:
        print(problem)
    if count == 0:
        print(f"{root}: no sources found")
        return 1
    print(f"{count} files, {len(problems)} includes against the layers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
