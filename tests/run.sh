#!/usr/bin/env bash
# Installs what is missing, builds, tests.
#   tests/run.sh            everything that a change must pass (unit, tidy, comparison with graphite-web, system, browser)
#   tests/run.sh unit|compat|system|web|tidy     only the tests with that label
#   tests/run.sh asan|tsan  the unit tests under AddressSanitizer + UBSan, or ThreadSanitizer
#   tests/run.sh fuzz [S]   every fuzz target for S seconds (default 30)
#   tests/run.sh lint       formatting and clang-tidy
#   tests/run.sh crash      a stop at every change of the disk, and twenty power cuts (root)
#   tests/run.sh mutants    the storage engine broken in one place after the other: the crash tests must notice
#   tests/run.sh soak [MIN] the kill test for MIN minutes (default 30)
# Options: --no-install. Logs of failed system tests stay in build/<preset>/test-logs.
set -euo pipefail
cd "$(dirname "$0")/.."

install=1
[ "${1:-}" = --no-install ] && { install=0; shift; }
target=${1:-all}
jobs=$(nproc)

install() { [ $install -eq 0 ] || deploy/install-deps.sh "$@"; }
build() {  # PRESET [TARGET...]
  local preset=$1; shift
  cmake --preset "$preset" -DSHOAL_WERROR=${SHOAL_WERROR:-ON} >/dev/null
  cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}
run_tests() {  # PRESET [CTEST ARGUMENTS...]
  local preset=$1; shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}

case $target in
  all) install build test; build dev; run_tests dev ;;
  unit | compat | system | web | tidy) install build test; build dev; run_tests dev -L "^$target\$" ;;
  asan | tsan) install build test; build "$target"; run_tests "$target" -L '^unit$' ;;
  fuzz)
    install build tools; build fuzz fuzzers
    seconds=${2:-30}
    for fuzzer in build/fuzz/fuzz/*; do
      [ -x "$fuzzer" ] || continue
      name=$(basename "$fuzzer")
      mkdir -p "build/fuzz/corpus/$name"
      seeds=(); [ -d "tests/fuzz/seeds/$name" ] && seeds=("tests/fuzz/seeds/$name")
      dictionary=(); [ -f "tests/fuzz/seeds/$name.dict" ] && dictionary=("-dict=tests/fuzz/seeds/$name.dict")
      echo "== $name, $seconds s"
      "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        "${dictionary[@]}" \
        -artifact_prefix="build/fuzz/$name-" "build/fuzz/corpus/$name" "${seeds[@]}" 2>"build/fuzz/$name.log" ||
        { tail -40 "build/fuzz/$name.log"; exit 1; }
      grep -E 'stat::number_of_executed_units' "build/fuzz/$name.log"
    done ;;
  lint)
    install build test tools; build dev
    git ls-files '*.cc' '*.h' | xargs clang-format --dry-run --Werror
    git ls-files 'base/*.cc' 'storage/*.cc' 'node/*.cc' 'router/*.cc' 'proto/*.cc' 'deploy/*.cc' 'bench/*.cc' |
      xargs -P "$jobs" -n 4 clang-tidy -p build/dev --quiet ;;
  crash)
    install build test; build dev
    SHOAL_CRASH_STEP=1 build/dev/tests/shoal_crash_test
    build/dev/tests/shoal_system_call_test
    python3 tests/system/power_cut_test.py --bin build/dev/bin --cycles 20 || [ $? -eq 77 ] ;;
  mutants) install build test; python3 tests/storage/mutants.py --jobs "$jobs" ;;
  soak)
    install build test; build dev
    python3 tests/system/kill_test.py --bin build/dev/bin --minutes "${2:-30}" ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
