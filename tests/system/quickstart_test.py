"""deploy/quickstart.sh as a newcomer types it, on binaries that are built already: start, look, kill and restart, stop."""

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error

from cluster import free_ports, http_get, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_base_port():
    """P such that all ports that quickstart derives from it are free."""
    for candidate in free_ports(50):
        wanted = [candidate, candidate + 2] + [candidate + 10 * i + k for i in (1, 2, 3) for k in (0, 1)]
        held = []
        try:
            for port in wanted:
                sock = socket.socket()
                held.append(sock)
                sock.bind(("127.0.0.1", port))
            return candidate
        except (OSError, OverflowError):
            continue
        finally:
            for sock in held:
                sock.close()
    raise AssertionError("no free ports")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    arguments = parser.parse_args()
    bin_dir = pathlib.Path(arguments.bin).resolve()
    data = pathlib.Path(tempfile.mkdtemp(prefix="shoal-quickstart-"))
    port = free_base_port()
    environment = dict(os.environ, SHOAL_PRESET=bin_dir.parent.name)
    script = [str(ROOT / "deploy/quickstart.sh")]
    options = ["--data", str(data), "--base-port", str(port), "--no-install"]

    def quickstart(*words):
        result = subprocess.run(script + list(words) + options, env=environment, capture_output=True, text=True, timeout=180)
        print(result.stdout + result.stderr, flush=True)
        return result

    try:
        begun = time.monotonic()
        result = quickstart()
        print(f"quickstart took {time.monotonic() - begun:.1f} s", flush=True)
        assert result.returncode == 0
        assert f"http://127.0.0.1:{port + 2}/" in result.stdout
        for name in ("router", "node-1", "node-2", "node-3"):
            for suffix in ("toml", "pid", "log"):
                assert (data / f"{name}.{suffix}").exists(), f"{name}.{suffix}"
        router = f"http://127.0.0.1:{port + 2}"
        status, text = http_get(router + "/render?target=hosts.*.load.load.shortterm&from=-5min&format=json&noNullPoints=1")
        assert status == 200 and '"datapoints": [[' in text.replace('":[[', '": [['), text
        assert http_get(router + "/")[0] == 200
        again = quickstart()
        assert again.returncode == 0 and "runs already" in again.stdout
        assert quickstart("status").returncode == 0

        # Kill and restart one process with the command of the contract.
        pid = int((data / "node-2.pid").read_text())
        os.kill(pid, 9)
        wait_until(lambda: quickstart("status").returncode != 0, 10, "status sees the dead node", interval=0.3)
        log = open(data / "node-2.log", "ab")
        process = subprocess.Popen([str(bin_dir / "shoal-node"), "--config", str(data / "node-2.toml")], stdout=log, stderr=log,
                                   start_new_session=True)
        (data / "node-2.pid").write_text(str(process.pid))
        wait_until(lambda: quickstart("status").returncode == 0, 20, "the node is back", interval=0.3)

        # It is our child, so somebody must reap it for "stop" to see it gone.
        threading.Thread(target=process.wait, daemon=True).start()
        assert quickstart("stop").returncode == 0
        for pid_file in data.glob("*.pid"):
            raise AssertionError(f"{pid_file} is left")
        try:
            http_get(router + "/healthz", timeout=2)
            raise AssertionError("the router still answers")
        except (OSError, urllib.error.URLError):
            pass

        bad = subprocess.run(script + ["--nodes", "0"], env=environment, capture_output=True, text=True)
        assert bad.returncode != 0 and "--nodes" in bad.stderr
    finally:
        quickstart("stop")
        if arguments.keep and sys.exc_info()[0]:
            pathlib.Path(arguments.keep).mkdir(parents=True, exist_ok=True)
            for log in data.glob("*.log"):
                shutil.copy(log, pathlib.Path(arguments.keep) / f"quickstart-{log.name}")
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
