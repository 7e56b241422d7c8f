#!/bin/sh
# Builds every micro-benchmark and runs them one after another:
#   bench/run_micro.sh [BUILD_DIR [OUT_DIR [FILTER]]]      (build/dev, BUILD_DIR/bench/results, all)
# Each has SECONDS_MAX (600) at most, and writes OUT_DIR/NAME.json. Read the CPU column: the machine may have other work.
set -eu
build=${1:-build/dev}
out=${2:-$build/bench/results}
filter=${3:-.}
cmake --build "$build" --target micro_benchmarks
mkdir -p "$out"
failed=0
for binary in "$build"/bench/*_bench; do
  name=$(basename "$binary")
  echo "== $name"
  timeout "${SECONDS_MAX:-600}" "$binary" --benchmark_filter="$filter" --benchmark_min_time=0.2 --benchmark_counters_tabular=true \
    --benchmark_out="$out/$name.json" --benchmark_out_format=json || { echo "$name failed"; failed=1; }
done
exit $failed
