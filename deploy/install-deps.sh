#!/usr/bin/env bash
# Installs what is missing from Debian: deploy/install-deps.sh [build] [agent] [test] [tools]
#   build  compilers, libraries and npm: enough to build the binaries (the default)
#   agent  collectd, which feeds a quickstart cluster with this host's metrics
#   test   GoogleTest, Chromium, graphite-web as the reference, and what the system tests start
#   tools  clang for fuzzing, formatting and linting
# Prints nothing but one line when nothing is missing.
set -euo pipefail

build=(g++ cmake make ninja-build ccache lld pkg-config git ca-certificates curl
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev libleveldb-dev libsnappy-dev
  libboost1.81-dev libre2-dev libxxhash-dev libtomlplusplus-dev rapidjson-dev libspdlog-dev
  zlib1g-dev libzstd-dev libssl-dev tzdata procps iproute2 python3)
agent=(collectd-core)
test=(libgtest-dev libgmock-dev libbenchmark-dev collectd-core chromium chromium-driver
  graphite-web graphite-carbon carbon-c-relay python3-whisper python3 procps iproute2 curl
  nbdkit libnbd-bin fuse3 e2fsprogs)
tools=(clang-14 libclang-rt-14-dev clang-format clang-tidy)

wanted=()
for group in "${@:-build}"; do
  case $group in
    build) wanted+=("${build[@]}")
      # Debian's npm pulls in hundreds of packages: not needed where another Node.js (18 or newer) is there already.
      command -v npm >/dev/null && command -v node >/dev/null || wanted+=(nodejs npm) ;;
    agent) wanted+=("${agent[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    tools) wanted+=("${tools[@]}") ;;
    *) echo "install-deps.sh: unknown group '$group' (build, agent, test, tools)" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "All ${#wanted[@]} Debian packages are installed."
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "install-deps.sh: this system has no apt-get; install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps.sh: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  sudo=(sudo)
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
# RUNLEVEL=1: packages must not start daemons of their own.
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" |
  grep --line-buffered -E '^(Need to get|Get:[0-9]*0 |Fetched|Setting up)|^E:' || true
for package in "${missing[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
    { echo "install-deps.sh: could not install $package" >&2; exit 1; }
done
