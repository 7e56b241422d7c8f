"""The line protocol as senders use and abuse it, the router's books, and what storage makes of it."""

import argparse
import json
import socket
import time
import unittest

from cluster import Cluster, http_get, wait_until

BIN = KEEP = None


def router_counter(cluster, name):
    """Sum over all labels of a counter or gauge of the router."""
    return sum(value for key, value in cluster.metrics("router").items() if key.split("{")[0] == name)


class IngestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BIN, retentions="10s:1h,60s:1d", keep=KEEP)
        cls.cluster.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def setUp(self):
        self.now = int(time.time()) // 60 * 60 - 600  # aligned to both archives, in the past

    def one(self, name, at=None):
        return self.cluster.render(name, self.now - 1200, self.now + 900).get(name, {}).get(at if at else self.now)

    def assert_books_balance(self):
        """received = acknowledged + rejected + dropped + in flight, to the point."""
        prefix = "shoal_router_points_"
        received, acked, rejected, dropped, in_flight = (
            router_counter(self.cluster, prefix + name)
            for name in ("received_total", "acked_total", "rejected_total", "dropped_total", "in_flight"))
        self.assertEqual(received, acked + rejected + dropped + in_flight)

    def test_good_lines_survive_between_garbage(self):
        good = [f"h1.good{i} {i}.25 {self.now}" for i in range(200)]
        garbage = [b"\x00\x01\x02", b"nameonly", b"h1.bad nan %d" % self.now, b"h1.bad 1e999 %d" % self.now,
                   b"h1.bad 0x10 %d" % self.now, b"h1.bad 1_0 %d" % self.now, b"h1.bad 1 2 3 4",
                   b"\xff\xfe 1 %d" % self.now, b"h1..bad 1 %d" % self.now, b".h1.bad 1 %d" % self.now,
                   b"h1.bad " + b"9" * 309 + b".0e %d" % self.now, b"h1.bad 1 notatime", b"h1.bad 1 nan",
                   b"h1.bad 1 -5", b"h1/bad 1 %d" % self.now, b"../../etc/passwd 1 %d" % self.now,
                   b"x" * 2000 + b" 1 %d" % self.now, b"h1.bad;tag 1 %d" % self.now, b"  ", b"\r"]
        payload = b""
        for i, line in enumerate(good):
            payload += line.encode() + (b"\r\n" if i % 3 == 0 else b"\n") + garbage[i % len(garbage)] + b"\n"
        before = self.cluster.metrics("router")
        # In single bytes at first, then in odd pieces: framing must not depend on segments.
        with socket.create_connection(("127.0.0.1", self.cluster.line_port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(300):
                sock.sendall(payload[i:i + 1])
            for i in range(300, len(payload), 777):
                sock.sendall(payload[i:i + 777])
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(30)
            self.assertEqual(sock.recv(1), b"")
        got = self.cluster.render("h1.*", self.now - 60, self.now)
        self.assertEqual(got, {f"h1.good{i}": {self.now: i + 0.25} for i in range(200)})
        after = self.cluster.metrics("router")
        reasons = {key for key, value in after.items() if "reason=" in key and value > before.get(key, 0)}
        for reason in ("bad_value", "nan_value", "bad_timestamp", "bad_byte", "empty_node", "name_too_long"):
            self.assertTrue(any(f'reason="{reason}"' in key for key in reasons), f"{reason} not among {sorted(reasons)}")
        self.assert_books_balance()

    def test_long_line_without_end_is_bounded_and_costs_itself_only(self):
        with socket.create_connection(("127.0.0.1", self.cluster.line_port)) as sock:
            sock.settimeout(60)
            sock.sendall(b"h2.before 1 %d\n" % self.now)
            for _ in range(256):
                sock.sendall(b"x" * 65536)
            sock.sendall(b"\nh2.after 2 %d\n" % self.now)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.cluster.render("h2.*", self.now - 60, self.now),
                         {"h2.before": {self.now: 1}, "h2.after": {self.now: 2}})

    def test_exact_doubles_come_back(self):
        values = [0.1, -0.0, 1e308, 5e-324, 2.2250738585072014e-308, 123456789.123456789, 1 / 3, -1e-7, 2 ** 53 + 2.0,
                  9007199254740993.0, 1e22, 4.35]
        self.cluster.send_acknowledged([f"exact.v{i:02d} {v!r} {self.now}" for i, v in enumerate(values)])
        got = self.cluster.render("exact.*", self.now - 60, self.now)
        for i, value in enumerate(values):
            self.assertEqual(repr(got[f"exact.v{i:02d}"][self.now]), repr(value))

    def test_last_write_of_a_slot_wins(self):
        for value in range(20):
            self.cluster.send_acknowledged([f"lww.a {value} {self.now}", f"lww.b {-value} {self.now}",
                                            f"lww.a {value + 0.5} {self.now + 3}"])
        self.assertEqual(self.one("lww.a"), 19.5)
        self.assertEqual(self.one("lww.b"), -19)

    def test_udp_datagrams_are_taken(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address = ("127.0.0.1", self.cluster.line_port)

        def sent():
            sock.sendto(f"udp.a 1 {self.now}\nnot a line\nudp.b 2 {self.now}".encode(), address)
            return self.cluster.render("udp.*", self.now - 60, self.now) == {"udp.a": {self.now: 1}, "udp.b": {self.now: 2}}
        wait_until(sent, 20, "UDP points", interval=0.2)
        sock.close()

    def test_too_old_and_too_far_ahead_are_refused_and_counted(self):
        self.cluster.send_acknowledged([f"age.old 1 {self.now - 5 * 86400}", f"age.future 1 {self.now + 30 * 86400}",
                                        f"age.good 1 {self.now}"])
        self.assertEqual(self.one("age.good"), 1)
        metrics = self.cluster.metrics("router")
        for reason in ("too_old", "too_far_ahead"):
            self.assertEqual(1, sum(v for k, v in metrics.items()
                                    if k.startswith("shoal_router_points_rejected_total") and f'reason="{reason}"' in k))
        self.assert_books_balance()

    def test_hostile_names_come_back_as_they_are_or_not_at_all(self):
        names = ["hostile.<script>alert(1)</script>", 'hostile."quoted"', "hostile.a&b", "hostile.%2e%2e", "hostile.~x",
                 "hostile.Case", "hostile.case", "hostile." + "n" * 900, "hostile.ünï"]
        self.cluster.send_acknowledged("".join(f"{n} {i} {self.now}\n" for i, n in enumerate(names)).encode())
        status, text = http_get(self.cluster.http_address("router") + "/metrics/index.json")
        self.assertEqual(status, 200)
        stored = {name for name in json.loads(text) if name.startswith("hostile.")}
        self.assertLessEqual(stored, set(names))
        self.assertGreaterEqual(stored, {"hostile.Case", "hostile.case", "hostile.a&b", "hostile.%2e%2e"})

    def test_tagged_series_are_one_series_in_any_order_of_tags(self):
        self.cluster.send_acknowledged([f"disk.used;rack=a1;dc=x 1 {self.now}", f"disk.used;dc=x;rack=a1 2 {self.now + 10}"])
        got = self.cluster.render("disk.used;dc=x;rack=a1", self.now - 60, self.now + 60)
        self.assertEqual(list(got.values()), [{self.now: 1, self.now + 10: 2}])

    def test_coarser_archive_answers_for_older_ranges(self):
        old = self.now - 7200  # older than the finest archive keeps: 60 s resolution answers
        old -= old % 60
        self.cluster.send_acknowledged([f"coarse.a {i} {old + 10 * i}" for i in range(12)])
        got = self.cluster.render("coarse.a", old - 60, old + 120)["coarse.a"]
        self.assertEqual(got, {old: 2.5, old + 60: 8.5})
        # Fresh points, asked for over a range that only the coarser archive covers.
        self.cluster.send_acknowledged([f"coarse.b {i} {self.now + 10 * i}" for i in range(6)])
        got = self.cluster.render("coarse.b", self.now - 7200, self.now + 60)["coarse.b"]
        self.assertEqual(got, {self.now: 2.5})

    def test_functions_over_the_cluster(self):
        self.cluster.send_acknowledged([f"fn.web{i}.cpu {i * 10 + t} {self.now + 10 * t}" for i in range(5) for t in range(6)])
        until = self.now + 50
        wrapped = self.cluster.render('aliasSub(aliasByNode(scale(fn.web*.cpu,2),1),"(^.*$)","\\1 A")', self.now - 10, until)
        self.assertEqual(wrapped, {f"web{i} A": {self.now + 10 * t: 2.0 * (i * 10 + t) for t in range(6)} for i in range(5)})
        total = self.cluster.render("sumSeries(fn.*.cpu)", self.now - 10, until)
        self.assertEqual(total, {"sumSeries(fn.*.cpu)": {self.now + 10 * t: 100 + 5 * t for t in range(6)}})
        self.assertEqual(len(self.cluster.render("constantLine(100)", self.now - 3600, self.now)), 1)
        self.assertEqual(self.cluster.render_raw({"target": "nosuch(fn.*)"})[0], 400)

    def test_books_balance_after_all(self):
        wait_until(lambda: router_counter(self.cluster, "shoal_router_points_in_flight") == 0, 10, "nothing in flight")
        self.assert_books_balance()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    unittest.main(argv=["ingest_test"] + rest)
