#!/usr/bin/env bash
# A three-node Shoal cluster on this machine, fed with this machine's own metrics, in one command.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/quickstart.sh [start|stop|status] [options]

start (the default) installs what is missing from Debian, builds, starts the nodes and a router on loopback, feeds them this
host's metrics through collectd and prints the URL to look at. Running it again on a running cluster changes nothing.

  --data DIR         configuration, data, pid files and logs      (default: build/quickstart)
  --nodes N          storage nodes, 1 to 9                         (default: 3)
  --replication R    copies of every point, at most N              (default: 2, or N if that is less)
  --base-port P      router: line P, HTTP P+2; node i: gRPC P+10i, HTTP P+10i+1
                     (default: router 2003 and 8080; node i: 7391+10i and 7392+10i)
  --no-agent         do not start collectd
  --no-install       do not install packages
TEXT
}
die() { echo "quickstart: $*" >&2; exit 1; }

root=$(cd "$(dirname "$0")/.." && pwd)
preset=${SHOAL_PRESET:-release}
bin=$root/build/$preset/bin
data=$root/build/quickstart
nodes=3 replication='' base_port='' agent=1 install=1 command=start

while [ $# -gt 0 ]; do
  case $1 in
    start | stop | status) command=$1 ;;
    --data | --nodes | --replication | --base-port)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --data) data=$2 ;;
        --nodes) nodes=$2 ;;
        --replication) replication=$2 ;;
        --base-port) base_port=$2 ;;
      esac
      shift ;;
    --no-agent) agent=0 ;;
    --no-install) install=0 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
  shift
done
[[ $nodes =~ ^[1-9]$ ]] || die "--nodes must be 1 to 9, not '$nodes'"
[ -n "$replication" ] || replication=$((nodes < 2 ? nodes : 2))
[[ $replication =~ ^[1-9]$ && $replication -le $nodes ]] || die "--replication must be 1 to $nodes, not '$replication'"
[[ -z $base_port || ($base_port =~ ^[0-9]+$ && $base_port -ge 1024 && $base_port -le 65000) ]] ||
  die "--base-port must be 1024 to 65000, not '$base_port'"

line_port=${base_port:-2003}
http_port=$((${base_port:-8078} + 2))
node_port() { echo $((${base_port:-7391} + 10 * $1)); }
names=(router); for ((i = 1; i <= nodes; i++)); do names+=("node-$i"); done

# The pid of NAME when that process runs and is really ours (a pid file may outlive a reboot).
running_pid() {
  local file=$data/$1.pid pid
  [ -r "$file" ] && pid=$(<"$file") && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$data/$1." || return 1
  echo "$pid"
}

stop_one() {
  local pid
  pid=$(running_pid "$1") || { rm -f "$data/$1.pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  for ((t = 0; t < 150; t++)); do
    kill -0 "$pid" 2>/dev/null || { rm -f "$data/$1.pid"; echo "stopped $1"; return 0; }
    sleep 0.1
  done
  echo "quickstart: $1 (pid $pid) did not stop within 15 s; killing it" >&2
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$data/$1.pid"
}

# Every name that has a pid file: also those of an earlier start with more nodes.
started_names() {
  local file
  for file in "$data"/*.pid; do [ -e "$file" ] && basename "$file" .pid; done
}

stop() {
  [ -d "$data" ] || { echo "nothing to stop in $data"; return 0; }
  # Senders first, so that what they sent is still stored.
  for name in collectd router; do stop_one $name; done
  for name in $(started_names); do stop_one "$name"; done
}

http_status() { curl -s -o /dev/null --max-time 2 -w '%{http_code}' "$1" 2>/dev/null || true; }
setting() { sed -n "s/^$2 *= *\"\(.*\)\".*/\1/p" "$data/$1.toml" 2>/dev/null | head -1; }

status() {
  local all_up=0 name pid http state
  [ -e "$data/router.toml" ] || { echo "no cluster in $data"; return 1; }
  for file in "$data"/router.toml "$data"/node-*.toml; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .toml); http=$(setting "$name" http)
    if pid=$(running_pid "$name"); then
      state="not ready"; [ "$(http_status "http://$http/readyz")" = 200 ] && state=ready || all_up=1
      printf '%-10s %-10s pid %-8s http://%s\n' "$name" "$state" "$pid" "$http"
    else
      printf '%-10s %-10s\n' "$name" stopped; all_up=1
    fi
  done
  if pid=$(running_pid collectd); then printf '%-10s %-10s pid %s\n' collectd running "$pid"; fi
  return $all_up
}

build() {
  if [ $install -eq 1 ]; then
    echo "== Packages"
    "$root/deploy/install-deps.sh" build $([ $agent -eq 0 ] || echo agent)
  fi
  echo "== Build ($preset)"
  command -v cmake >/dev/null || die "cmake is missing; run without --no-install"
  mkdir -p "$root/build"
  (cd "$root" && cmake --preset "$preset" >"build/configure-$preset.log" 2>&1) ||
    { tail -20 "$root/build/configure-$preset.log" >&2; die "configuring failed (build/configure-$preset.log)"; }
  (cd "$root" && cmake --build --preset "$preset" -j "$(nproc)" --target shoal-node shoal-router shoalctl shoal-bench)
}

write_config() {
  mkdir -p "$data"
  cat >"$data/storage-schemas.conf" <<TEXT
[default]
pattern = .*
retentions = 10s:6h,60s:7d,10m:5y
TEXT
  cat >"$data/storage-aggregation.conf" <<TEXT
[default]
pattern = .*
xFilesFactor = 0.5
aggregationMethod = average
TEXT
  {
    printf 'cluster = "quickstart"\nepoch = 1\npartitions = 16384\nreplication = %d\n' "$replication"
    for ((i = 1; i <= nodes; i++)); do
      printf '\n[[node]]\nname = "node-%d"\naddress = "127.0.0.1:%d"\nhttp = "127.0.0.1:%d"\n' \
        "$i" "$(node_port "$i")" "$(($(node_port "$i") + 1))"
    done
  } >"$data/topology.toml"
  for ((i = 1; i <= nodes; i++)); do
    cat >"$data/node-$i.toml" <<TEXT
[node]
name = "node-$i"
cluster = "quickstart"
data_dir = "node-$i"

[listen]
grpc = "127.0.0.1:$(node_port "$i")"
http = "127.0.0.1:$(($(node_port "$i") + 1))"

[storage]
schemas = "storage-schemas.conf"
aggregation = "storage-aggregation.conf"
TEXT
  done
  cat >"$data/router.toml" <<TEXT
[router]
name = "router"
data_dir = "router"

[listen]
line = "127.0.0.1:$line_port"
http = "127.0.0.1:$http_port"

[cluster]
topology = "topology.toml"
TEXT
}

start_one() {  # NAME COMMAND...
  local name=$1; shift
  running_pid "$name" >/dev/null && { echo "$name runs already"; return 0; }
  setsid "$@" </dev/null >>"$data/$name.log" 2>&1 &
  echo $! >"$data/$name.pid"
}

# Waits until /readyz answers 200; fails with the end of the log when the process dies.
wait_ready() {  # NAME
  local name=$1 http
  http=$(setting "$name" http)
  for ((t = 0; t < 300; t++)); do
    running_pid "$name" >/dev/null || { tail -5 "$data/$name.log" >&2; die "$name stopped; its log is $data/$name.log"; }
    [ "$(http_status "http://$http/readyz")" = 200 ] && return 0
    sleep 0.1
  done
  tail -5 "$data/$name.log" >&2
  die "$name is not ready after 30 s; its log is $data/$name.log"
}

start_agent() {
  local collectd plugins
  collectd=$(command -v collectd || echo /usr/sbin/collectd)
  [ -x "$collectd" ] || { echo "quickstart: collectd is missing; start without --no-install, or with --no-agent" >&2; return 1; }
  plugins=$(for plugin in cpu load memory interface disk df swap uptime processes contextswitch; do
    [ -e "/usr/lib/collectd/$plugin.so" ] && echo "LoadPlugin $plugin"; done)
  mkdir -p "$data/collectd"
  cat >"$data/collectd.conf" <<TEXT
Hostname "$(hostname | tr -c 'A-Za-z0-9_\n-' '_')"
FQDNLookup false
Interval 10
BaseDir "$data/collectd"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "$data/collectd.log"
</Plugin>
$plugins
<Plugin cpu>
  ReportByCpu true
  ValuesPercentage true
</Plugin>
<Plugin df>
  IgnoreSelected true
  FSType "overlay"
  FSType "tmpfs"
  FSType "proc"
</Plugin>
LoadPlugin write_graphite
<Plugin write_graphite>
  <Node "shoal">
    Host "127.0.0.1"
    Port "$line_port"
    Protocol "tcp"
    Prefix "hosts."
    EscapeCharacter "_"
    ReconnectInterval 60
    LogSendErrors true
  </Node>
</Plugin>
TEXT
  start_one collectd "$collectd" -f -C "$data/collectd.conf" -P "$data/collectd/collectd.pid"
}

wait_for_metrics() {
  local url="http://127.0.0.1:$http_port/render?target=hosts.*.load.load.shortterm&from=-5min&format=raw&noNullPoints=1"
  for ((t = 0; t < 150; t++)); do
    curl -s --max-time 2 "$url" | grep -qE '[|,][0-9]+\.[0-9]+' && return 0
    sleep 0.2
  done
  return 1
}

start() {
  local begun=$SECONDS name
  # Two starts at once must not race for the same data.
  mkdir -p "$data"; data=$(cd "$data" && pwd)
  exec 9>"$data/quickstart.lock"
  flock -n 9 || die "another quickstart is working in $data"
  build
  local built=$SECONDS
  if status >/dev/null 2>&1; then
    echo "The cluster in $data runs already."
  else
    write_config
    echo "== Start: $nodes nodes, $replication copies of every point, data in $data"
    for ((i = 1; i <= nodes; i++)); do start_one "node-$i" "$bin/shoal-node" --config "$data/node-$i.toml" 9>&-; done
    for ((i = 1; i <= nodes; i++)); do wait_ready "node-$i"; done
    start_one router "$bin/shoal-router" --config "$data/router.toml" 9>&-
    wait_ready router
  fi
  if [ $agent -eq 1 ]; then
    start_agent 9>&- && { wait_for_metrics || echo "quickstart: no host metrics after 30 s; see $data/collectd.log" >&2; }
  fi
  echo
  status || true
  cat <<TEXT

Ready in $((SECONDS - built)) s (build and packages: $((built - begun)) s). Look at

    http://127.0.0.1:$http_port/

Send a point:   printf 'test.answer 42 %d\n' "\$(date +%s)" >/dev/tcp/127.0.0.1/$line_port    (in bash)
Read it back:   curl 'http://127.0.0.1:$http_port/render?target=test.*&from=-10min&format=json&noNullPoints=1'
Stop:           deploy/quickstart.sh stop${data:+ --data $data}
TEXT
}

if [ "$command" != start ] && [ -d "$data" ]; then data=$(cd "$data" && pwd); fi
$command
