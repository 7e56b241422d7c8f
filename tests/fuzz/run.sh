#!/bin/sh
# Runs every fuzzer of a `fuzz` build on its seeds and then on new inputs.
#   tests/fuzz/run.sh [SECONDS each, default 30] [BUILD directory, default build/fuzz]
# New inputs stay in BUILD/corpus; an input that fails is left in BUILD/crashes, and the exit code is 1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-30}
build=${2:-$here/../../build/fuzz}
mkdir -p "$build/crashes"
failed=0
for fuzzer in "$build"/fuzz/*_fuzzer; do
  [ -x "$fuzzer" ] || { echo "no fuzzers in $build/fuzz: build with --preset fuzz" >&2; exit 1; }
  name=$(basename "$fuzzer" _fuzzer)
  mkdir -p "$build/corpus/$name"
  set -- "$build/corpus/$name"
  [ -d "$here/corpus/$name" ] && set -- "$@" "$here/corpus/$name"
  dict=
  [ -f "$here/$name.dict" ] && dict="-dict=$here/$name.dict"
  log=$build/crashes/$name.log
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 $dict \
      -artifact_prefix="$build/crashes/$name-" "$@" > "$log" 2>&1; then
    echo "ok   $name: $(grep -o 'Done [0-9]* runs' "$log" || true)"
  else
    echo "FAIL $name: see $log"
    tail -n 30 "$log"
    failed=1
  fi
done
exit $failed
