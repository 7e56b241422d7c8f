"""A small WebDriver client over plain HTTP: Debian's chromium and chromium-driver, nothing else.

    with Browser() as browser:
        browser.open("http://127.0.0.1:8080/")
        browser.click("#presets button")
"""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# The key under which WebDriver wraps an element's id (W3C WebDriver, section 12.1).
ELEMENT_KEY = "element-6066-11e4-a52e-4f735466cecf"

CHROMIUM_ARGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    # The page under test is on this machine; nothing else is to be looked up.
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Down": "\ue015", "Right": "\ue014", "Left": "\ue012", "Tab": "\ue004"}


class WebDriverError(Exception):
    pass


def missing_tools():
    """Names of what has to be installed for a Browser to start."""
    return [tool for tool in ("chromium", "chromedriver") if shutil.which(tool) is None]


class Browser:
    def __init__(self, width=1280, height=800, dark=False):
        self._profile = tempfile.TemporaryDirectory(prefix="shoal-web-")
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self._session = None
        try:
            self._base = self._read_address()
            arguments = CHROMIUM_ARGS + [f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}"]
            if dark:
                arguments.append("--force-dark-mode")
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}})
            self._session = answer["sessionId"]
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read_address(self):
        # "ChromeDriver was started successfully on port 35123."
        for line in self._driver.stdout:
            match = re.search(r"successfully on port (\d+)", line)
            if match:
                return f"http://127.0.0.1:{match.group(1)}"
        raise WebDriverError("chromedriver did not start")

    def close(self):
        try:
            if self._session:
                self._call("DELETE", f"/session/{self._session}")
        except (WebDriverError, OSError):
            pass
        finally:
            self._session = None
            self._driver.terminate()
            self._driver.wait(timeout=20)
            self._driver.stdout.close()
            self._profile.cleanup()

    def _call(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._base + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def _do(self, method, path, body=None):
        return self._call(method, f"/session/{self._session}{path}", body)

    def open(self, url):
        self._do("POST", "/url", {"url": url})

    def url(self):
        return self._do("GET", "/url")

    def resize(self, width, height):
        """Sets the size of the page itself: a window cannot be narrower than 500 pixels."""
        self._do("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def run(self, script, *arguments):
        """The value that `script`, a function body, returns in the page."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def _find(self, selector):
        return self._do("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT_KEY]

    def click(self, selector):
        self._do("POST", f"/element/{self._find(selector)}/click")

    def type(self, selector, text):
        self._do("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, key):
        """Presses one key where the focus is."""
        value = KEYS.get(key, key)
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]}]})

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def console_errors(self):
        """Messages of level SEVERE since the last call: script errors, refused resources, failed loads."""
        return [entry["message"] for entry in self._do("POST", "/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE"]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._do("GET", "/screenshot")))

    def wait(self, what, condition, timeout_sec=15):
        """Polls until `condition()` is true and returns its value."""
        deadline = time.monotonic() + timeout_sec
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout_sec} s for {what}; the last value was {value!r}")
            time.sleep(0.05)
