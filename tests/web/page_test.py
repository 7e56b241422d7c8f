"""The page at "/" in a real browser, served by a real cluster of three nodes and a router.

    page_test.py --bin build/dev/bin [--keep DIR]      starts a cluster of its own
    page_test.py --url http://127.0.0.1:8080 --line-port 2003     uses one that runs

A failed test leaves a screenshot in DIR.
"""

import argparse
import pathlib
import socket
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

from webdriver import Browser, missing_tools  # noqa: E402

STEP = 10
HOSTILE = "webtest.<svg>.<script>"
SYMBOLS = "webtest.symbols.alert('x')|\"b\",c"
URL = LINE_PORT = KEEP = None


def send(lines):
    """Sends lines and waits for the clean-close acknowledgement."""
    with socket.create_connection(("127.0.0.1", LINE_PORT), timeout=30) as sock:
        sock.sendall(("\n".join(lines) + "\n").encode())
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1) != b"":
            raise AssertionError("the router answered on a line connection")


def last_slot():
    return int(time.time()) // STEP * STEP - STEP


class PageTest(unittest.TestCase):
    width, height, dark = 1280, 860, False

    @classmethod
    def setUpClass(cls):
        now = last_slot()
        lines = []
        for i in range(30):
            stamp = now - i * STEP
            lines += [f"webtest.servers.web1.load {10.5 + i} {stamp}", f"webtest.servers.web2.load {70.25 + i} {stamp}",
                      f"webtest.servers.web2.disk.free {1000 + i} {stamp}", f"{HOSTILE} {5 + i} {stamp}",
                      f"{SYMBOLS} {3.5 + i} {stamp}"]
        send(lines)
        cls.browser = Browser(cls.width, cls.height, cls.dark)
        cls.addClassCleanup(cls.browser.close)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        value = super().run(result)
        # setUp and tearDown are inside: whatever failed, the page is still as it was.
        if result and KEEP and len(result.failures) + len(result.errors) > before:
            path = pathlib.Path(KEEP)
            path.mkdir(parents=True, exist_ok=True)
            self.browser.screenshot(str(path / f"{self.id()}.png"))
            print(f"screenshot: {path / self.id()}.png", file=sys.stderr)
        return value

    def open(self, fragment=""):
        self.browser.open("about:blank")
        self.browser.console_errors()
        self.browser.open(f"{URL}/{fragment}")
        self.browser.wait("the tree's first level", lambda: self.browser.texts("#tree [role=treeitem]"))

    def expect_quiet_console(self):
        self.assertEqual(self.browser.console_errors(), [])

    def expand(self, path):
        row = f'#tree .branch[data-path="{path}"]'
        self.browser.wait(f"the branch {path}", lambda: self.browser.run(
            "return document.querySelector(arguments[0]) !== null", row))
        self.browser.click(row)

    def legend(self):
        """name -> the last value, unrounded, and as shown."""
        return {name: (last, shown) for name, last, shown in self.browser.run("""
            return [...document.querySelectorAll('#legend tr[data-series]')].map(row =>
                [row.dataset.series, row.dataset.last, row.querySelector('.value').textContent])""")}

    def wait_legend(self, *names):
        self.browser.wait(f"{names} in the legend", lambda: set(self.legend()) == set(names))
        return self.legend()

    def ink(self):
        """How many pixels of the chart are neither background nor grey: those of lines."""
        return self.browser.run("""
            const canvas = document.querySelector('#chart canvas');
            if (!canvas) return 0;
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let ink = 0;
            for (let i = 0; i < data.length; i += 4) {
              const least = Math.min(data[i], data[i + 1], data[i + 2]);
              if (data[i + 3] > 128 && Math.max(data[i], data[i + 1], data[i + 2]) - least > 60) ++ink;
            }
            return ink;""")

    def search(self, text):
        self.browser.run("document.querySelector('#search').value = ''")
        self.browser.type("#search", text)

    def test_the_tree_leads_to_a_metric_and_a_click_draws_it(self):
        self.open()
        self.expand("webtest")
        self.expand("webtest.servers")
        self.expand("webtest.servers.web1")
        leaf = '#tree .leaf[data-path="webtest.servers.web1.load"]'
        self.browser.wait("the leaf", lambda: self.browser.texts(leaf))
        self.browser.click(leaf)
        legend = self.wait_legend("webtest.servers.web1.load")
        self.assertEqual(legend["webtest.servers.web1.load"], ("10.5", "10.5"))
        self.browser.wait("a line on the chart", lambda: self.ink() > 20)
        self.assertIn("t=webtest.servers.web1.load", self.browser.url())
        # The second click takes it off again.
        self.browser.click(leaf)
        self.wait_legend()
        self.assertEqual(self.ink(), 0)
        self.expect_quiet_console()

    def test_search_by_words_finds_a_metric_and_adds_it(self):
        self.open()
        self.search("web2 webtest load")
        results = self.browser.wait("one result", lambda: self.browser.texts("#results button"))
        self.assertEqual(results, ["webtest.servers.web2.load"])
        self.browser.click("#results button")
        legend = self.wait_legend("webtest.servers.web2.load")
        self.assertEqual(legend["webtest.servers.web2.load"][1], "70.25")
        self.expect_quiet_console()

    def test_search_by_pattern_offers_the_pattern_and_what_it_matches(self):
        self.open()
        self.search("webtest.servers.*.load")
        results = self.browser.wait("results", lambda: self.browser.texts("#results button"))
        self.assertEqual(results, ["Draw webtest.servers.*.load", "webtest.servers.web1.load",
                                   "webtest.servers.web2.load"])
        self.browser.press("Enter")
        self.wait_legend("webtest.servers.web1.load", "webtest.servers.web2.load")
        self.browser.click("#legend tr[data-series] .icon")
        self.wait_legend()
        self.expect_quiet_console()

    def test_a_branch_that_search_found_opens_in_the_tree(self):
        self.open()
        self.search("webtest.servers.w*2")
        self.browser.wait("the branch", lambda: "webtest.servers.web2." in self.browser.texts("#results button"))
        self.browser.click("#results .branch")
        self.browser.wait("its children", lambda: "load" in self.browser.texts("#tree [role=treeitem]"))

    def test_a_link_shows_what_its_page_showed(self):
        self.open("#t=webtest.servers.web1.load&t=scale(webtest.servers.web2.load%2C2)&from=-15min&refresh=0")
        legend = self.wait_legend("webtest.servers.web1.load", "scale(webtest.servers.web2.load,2)")
        self.assertEqual(legend["scale(webtest.servers.web2.load,2)"][0], "140.5")
        self.assertEqual(self.browser.texts("#presets [aria-pressed=true]"), ["15m"])
        self.assertEqual(self.browser.run("return document.querySelector('#refresh').value"), "0")
        self.expect_quiet_console()

    def test_a_new_point_arrives_without_a_click(self):
        name = f"webtest.live.at{time.time_ns()}"
        send([f"{name} 1.5 {last_slot() - STEP}"])
        self.open(f"#t={name}&refresh=5")
        self.assertEqual(self.wait_legend(name)[name][0], "1.5")
        send([f"{name} 2.5 {last_slot()}"])
        self.browser.wait("the new value", lambda: self.legend().get(name, ("",))[0] == "2.5")

    def test_an_error_stands_at_its_target_and_the_others_are_drawn(self):
        self.open("#t=webtest.servers.web1.load&t=noSuchFunction(a.b)")
        self.wait_legend("webtest.servers.web1.load")
        problem = self.browser.wait("the error", lambda: self.browser.texts("#legend tr[data-problem]"))
        self.assertEqual(len(problem), 1)
        self.assertRegex(problem[0], "(?s)noSuchFunction.a.b. .*noSuchFunction")
        self.browser.click("#legend tr[data-problem] .icon")
        self.browser.wait("it is gone", lambda: not self.browser.texts("#legend tr[data-problem]"))

    def test_a_range_that_the_server_cannot_read_is_said_so(self):
        self.open("#t=webtest.servers.web1.load&from=nonsense")
        self.browser.wait("the error", lambda: self.browser.texts("#legend tr[data-problem] .problem"))

    def test_a_custom_range_is_asked_for(self):
        self.open("#t=webtest.servers.web1.load&refresh=0")
        self.wait_legend("webtest.servers.web1.load")
        self.browser.click("#presets button:last-child")
        self.browser.type("#range [name=from]", "-20min")
        self.browser.press("Enter")
        self.browser.wait("the link", lambda: "from=-20min" in self.browser.url())
        self.wait_legend("webtest.servers.web1.load")

    def test_three_nodes_are_up(self):
        self.open()
        states = self.browser.wait("the nodes", lambda: self.browser.run(
            "return [...document.querySelectorAll('#nodes [data-node]')].map(e => e.dataset.state)"))
        self.assertEqual(states, ["up"] * 3)
        self.assertEqual(self.browser.texts("#nodes-summary"), ["3 of 3 up"])
        self.expect_quiet_console()

    def test_a_hostile_name_is_text_wherever_it_stands(self):
        self.open(f"#t={HOSTILE}")
        self.assertEqual(self.wait_legend(HOSTILE)[HOSTILE][0], "5")
        self.expand("webtest")
        self.expand("webtest.<svg>")
        self.browser.wait("the leaf", lambda: "<script>" in self.browser.texts("#tree .leaf .label"))
        self.search("svg script")
        self.assertEqual(self.browser.wait("the result", lambda: self.browser.texts("#results button")), [HOSTILE])
        self.assertEqual(self.browser.run(
            "return document.querySelectorAll(':is(#tree, #results, #legend) :is(script, svg)').length"), 0)
        self.expect_quiet_console()

    def test_a_name_with_symbols_of_the_target_language_can_be_drawn(self):
        self.open()
        self.search("webtest symbols")
        self.browser.wait("the result", lambda: self.browser.texts("#results button") == [SYMBOLS])
        self.browser.click("#results button")
        self.assertEqual(self.wait_legend(SYMBOLS)[SYMBOLS][0], "3.5")
        self.assertEqual(self.browser.run("return document.querySelector('#results button').ariaPressed"), "true")
        self.expect_quiet_console()

    def test_the_keyboard_walks_the_tree(self):
        self.open()
        self.browser.run("document.querySelector('#tree [data-path=webtest]').focus()")
        self.browser.press("Right")
        self.browser.wait("its children", lambda: self.browser.texts('#tree [data-path="webtest.servers"]'))
        focused = "return document.activeElement.dataset.path"
        for _ in range(20):
            if self.browser.run(focused) == "webtest.servers":
                break
            self.browser.press("Down")
        self.assertEqual(self.browser.run(focused), "webtest.servers")
        self.browser.press("Left")
        self.assertEqual(self.browser.run(focused), "webtest")
        self.browser.press("Left")
        self.assertEqual(self.browser.run(
            "return document.querySelector('#tree [data-path=webtest]').getAttribute('aria-expanded')"), "false")

    def test_nothing_sticks_out_sideways(self):
        self.open(f"#t={HOSTILE}&t=webtest.servers.web2.disk.free")
        self.browser.wait("the legend", lambda: len(self.legend()) == 2)
        for width in (1280, 820, 400):
            with self.subTest(width=width):
                self.browser.resize(width, self.height)
                self.addCleanup(self.browser.resize, self.width, self.height)
                self.browser.wait("the chart fits", lambda: self.browser.run(
                    "return document.documentElement.scrollWidth <= innerWidth &&"
                    " document.querySelector('#chart canvas').getBoundingClientRect().right <= innerWidth"))


def main():
    global URL, LINE_PORT, KEEP
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", help="the folder with shoal-router and shoal-node")
    parser.add_argument("--keep", help="where screenshots and logs of failures go")
    parser.add_argument("--url", help="a router that runs already")
    parser.add_argument("--line-port", type=int, default=2003, help="that router's plaintext port")
    arguments, rest = parser.parse_known_args()
    if missing_tools():
        sys.exit(f"page_test.py: not installed: {', '.join(missing_tools())}")
    KEEP = arguments.keep
    if arguments.url:
        URL, LINE_PORT = arguments.url.rstrip("/"), arguments.line_port
        return unittest.main(argv=sys.argv[:1] + rest, exit=False).result.wasSuccessful()
    from cluster import Cluster
    with Cluster(arguments.bin, nodes=3, replication=2, keep=arguments.keep) as cluster:
        URL, LINE_PORT = cluster.http_address("router"), cluster.line_port
        return unittest.main(argv=sys.argv[:1] + rest, exit=False).result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
