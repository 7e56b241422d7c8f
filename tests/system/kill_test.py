"""kill -9 of every process in turn while points stream in: nothing acknowledged is lost, nothing is invented.

A known stream of 400 series goes in over plaintext in batches, each acknowledged by the router's clean close. collectd
writes this host's metrics at the same time. Nodes and router are killed and restarted in turn. Then every acknowledged point
must come back with its exact value, nothing that was not sent may come back, and all of it again with each node down.
"""

import argparse
import random
import subprocess
import threading
import time

from cluster import Cluster, NotAcknowledged, wait_until

STEP = 10
SERIES = 400
SLOTS = 1400  # per series; the oldest lies within the finest archive's six hours


def value_of(series, slot, seed):
    """Exactly representable in the decimal text that is sent; shapes that exercise every encoding."""
    kind = series % 4
    if kind == 0:
        return float(series)
    if kind == 1:
        return float(slot * 37 + series)
    generator = random.Random((seed << 40) ^ (series << 20) ^ slot)
    return round(generator.uniform(-1000, 1000), 2) if kind == 2 else generator.uniform(-1e6, 1e6)


class Sender(threading.Thread):
    """Sends slot after slot for all series; retries a batch until it is acknowledged."""

    def __init__(self, cluster, first_time, seed, slots_per_batch=5):
        super().__init__()
        self.cluster, self.first_time, self.seed, self.slots_per_batch = cluster, first_time, seed, slots_per_batch
        self.acknowledged_slots = 0
        self.longest_gap = 0.0
        self.retries = 0
        self.stopping = False
        self.error = None

    def run(self):
        try:
            self.send()
        except BaseException as error:  # shown by the main thread
            self.error = error

    def send(self):
        slot = 0
        last_ack = time.monotonic()
        while slot < SLOTS and not self.stopping:
            slots = range(slot, min(SLOTS, slot + self.slots_per_batch))
            payload = "".join(
                f"kill.host{series:03d}.metric {value_of(series, s, self.seed)!r} {self.first_time + s * STEP}\n"
                for s in slots for series in range(SERIES)).encode()
            while not self.stopping:
                try:
                    self.cluster.send_acknowledged(payload)
                    break
                except NotAcknowledged:
                    self.retries += 1
                    time.sleep(0.02)
            else:
                return
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - last_ack)
            last_ack = now
            slot += len(slots)
            self.acknowledged_slots = slot


def check(cluster, first_time, slots, sent_slots, seed, label):
    """Every acknowledged point is there with its value; no other value is."""
    lost = wrong = invented = 0
    got = cluster.render("kill.*.metric", first_time - STEP, first_time + sent_slots * STEP)
    for series in range(SERIES):
        points = got.pop(f"kill.host{series:03d}.metric", {})
        for slot in range(slots):
            value = points.pop(first_time + slot * STEP, None)
            if value is None:
                lost += 1
            elif value != value_of(series, slot, seed):
                wrong += 1
        for timestamp, value in points.items():  # sent but perhaps not acknowledged
            slot = (timestamp - first_time) // STEP
            if not (slots <= slot < sent_slots and value == value_of(series, slot, seed)):
                invented += 1
    invented += sum(len(points) for points in got.values())
    print(f"{label}: {slots * SERIES} acknowledged points, {lost} lost, {wrong} wrong, {invented} invented", flush=True)
    assert (lost, wrong, invented) == (0, 0, 0), label


def start_collectd(cluster):
    config = cluster.dir / "collectd.conf"
    config.write_text(
        f'Hostname "testhost"\nFQDNLookup false\nInterval 1\nBaseDir "{cluster.dir}"\nTypesDB "/usr/share/collectd/types.db"\n'
        "LoadPlugin load\nLoadPlugin memory\nLoadPlugin cpu\nLoadPlugin write_graphite\n"
        '<Plugin write_graphite>\n<Node "shoal">\n'
        f'Host "127.0.0.1"\nPort "{cluster.line_port}"\nProtocol "tcp"\nPrefix "hosts."\nEscapeCharacter "_"\n'
        "</Node>\n</Plugin>\n")
    log = open(cluster.dir / "collectd.log", "ab")
    return subprocess.Popen(["/usr/sbin/collectd", "-f", "-C", str(config), "-P", str(cluster.dir / "collectd.pid")],
                            stdout=log, stderr=log, start_new_session=True)


def one_round(bin_dir, keep, seed, kills_min):
    with Cluster(bin_dir, keep=keep) as cluster:
        collectd = start_collectd(cluster)
        try:
            # Every slot is in the past, the oldest well inside six hours.
            first_time = (int(time.time()) // STEP - SLOTS - 200) * STEP
            sender = Sender(cluster, first_time, seed)
            generator = random.Random(seed)
            begun = time.monotonic()
            sender.start()
            kills = 0
            while sender.is_alive() or kills < kills_min:
                victim = cluster.names[kills % len(cluster.names)]
                time.sleep(generator.uniform(0.3, 1.5))
                cluster.kill(victim)
                kills += 1
                time.sleep(generator.uniform(0.0, 1.0))
                cluster.start(victim)
            sender.join()
            if sender.error:
                raise sender.error
            print(f"seed {seed}: {kills} kills in {time.monotonic() - begun:.0f} s, {sender.retries} batches sent again, "
                  f"longest time between acknowledgements {sender.longest_gap:.2f} s", flush=True)
            cluster.wait_whole()
            slots = sender.acknowledged_slots
            check(cluster, first_time, slots, slots, seed, "all nodes up")
            for name in cluster.node_names:
                cluster.kill(name)
                check(cluster, first_time, slots, slots, seed, f"{name} down")
                cluster.start(name)
                cluster.wait_whole()
            # collectd's own points came through as well.
            host = wait_until(lambda: cluster.render("hosts.testhost.load.load.*", time.time() - 300, time.time()), 30,
                              "collectd's metrics")
            assert all(points for points in host.values()), host
            return kills, slots * SERIES
        finally:
            collectd.terminate()
            collectd.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep", help="folder for the logs of a failed run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--minutes", type=float, help="repeat with new seeds for this long")
    arguments = parser.parse_args()
    kills = points = rounds = 0
    begun = time.monotonic()
    while True:
        more_kills, more_points = one_round(arguments.bin, arguments.keep, arguments.seed + rounds, arguments.kills)
        kills, points, rounds = kills + more_kills, points + more_points, rounds + 1
        if not arguments.minutes or time.monotonic() - begun > arguments.minutes * 60:
            break
    print(f"{kills} kills, {points} acknowledged points, 0 lost, 0 invented")


if __name__ == "__main__":
    main()
