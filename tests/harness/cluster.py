"""Every part a process of its own, told of one or more brokers: `edda broker`, `edda store`, ... by hand."""

import os
import signal
import subprocess
import time

import live
from live import Edda, free_pair

PARTS = ("store", "chunker", "embedder", "reranker", "llm", "gateway")


class Cluster(Edda):
    """environment as live.Edda's. brokers: how many. links: {part: [url of each broker]} for those who come by
    another way (tests/harness/relay.py); tcp lets them. more: {name: part} that run beside the usual ones.

    parts[name] and brokers[i] are processes; each writes a log of its own."""

    def __init__(self, binary, brokers=2, tcp=False, links=None, more=None, **options):
        super().__init__(binary, **options)
        self.ports = [free_pair() for _ in range(brokers)] if tcp else []
        self.urls = [f"tcp://127.0.0.1:{port}" for port in self.ports] or [
            f"ipc://{self.directory}/broker-{number}.sock" for number in range(brokers)]
        self.links = links or {}
        self.kinds = {**{part: part for part in PARTS}, **(more or {})}

    def start(self, seconds=60):
        os.makedirs(self.data)
        if live.server:
            self.make_database()
        self.brokers = [self.run_broker(number) for number in range(len(self.urls))]
        self.parts = {name: self.run_part(name) for name in self.kinds}
        self.wait_ready(seconds)
        return self

    def run(self, name, *words, connect=None):
        with open(self.log_of(name), "ab") as output:
            return subprocess.Popen([self.binary, *words], stdout=output, stderr=output,
                                    env={**self.environment, **({"EDDA_CONNECT": connect} if connect else {})})

    def run_broker(self, number):
        return self.run(f"broker-{number}", "broker", "--listen", self.urls[number])

    def run_part(self, name):
        return self.run(name, self.kinds[name], "--data", self.data, "--http", f"127.0.0.1:{self.port}",
                        connect=",".join(self.links.get(name, self.urls)))

    def wait_ready(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.request("GET", "/readyz", timeout=2)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not ready in {seconds} s:\n{self.log()}")

    def stop(self, seconds=60):
        status = 0
        for process in [*reversed(list(self.parts.values())), *self.brokers]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                status |= process.wait(seconds) if process.returncode is None else 0
        return status

    def log_of(self, name):
        return os.path.join(self.directory, name + ".log")

    def read_log(self, name):
        with open(self.log_of(name), errors="replace") as log:
            return log.read()

    def log(self):
        names = sorted(name for name in os.listdir(self.directory) if name.endswith(".log"))
        return "".join(f"---- {name}\n{self.read_log(name[:-4])[-3000:]}" for name in names)
