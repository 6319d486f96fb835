"""The fake provider (tests/provider) as a context, for tests that have Edda ask somebody:

    with FakeProvider(provider.find(binary)) as fake:
        with Edda(binary, environment={"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": fake.url("openai/v1")}):
            fake.set(embed={"latency_ms": 50, "fail": {"status": 429, "times": 3}})
            ...
            fake.counters()["embed"]["requests"]

What can be set is in tests/provider/README.md."""

import http.client
import json
import os
import select
import ssl
import subprocess
import time


def find(edda, given=None):
    """The program's path: given, or in the build tree of this edda binary."""
    path = given or os.path.join(os.path.dirname(os.path.abspath(edda)), "tests", "provider", "fake_provider")
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is missing; ops/build KIND fake_provider makes it")
    return path


def add_argument(parser):
    parser.add_argument("--fake-provider", help="its path, when it is not in edda's build tree")


class FakeProvider:
    def __init__(self, binary, *flags, tls=None):
        """tls: (certificate file, key file)."""
        self.command = [binary, *flags, *(["--tls", *tls] if tls else [])]
        self.certificate = tls[0] if tls else None
        self.process = None
        self.base = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.stop()

    def start(self, seconds=60):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline().decode().split() if ready else []
        if len(line) != 2 or line[0] != "fake_provider":
            self.process.kill()
            raise AssertionError(f"{self.command} does not serve: {line}, status {self.process.wait()}")
        self.base = line[1]
        self.port = int(self.base.rpartition(":")[2])
        return self

    def stop(self, seconds=60):
        """Its exit status; a fake that does not end at the end of its input is a failure."""
        if self.process is None:
            return 0
        self.process.stdin.close()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the fake provider did not end with its input")
        finally:
            self.process.stdout.close()
            self.process = None

    def url(self, prefix=""):
        """A base URL: url("voyage/v1"), url("tei")."""
        return f"{self.base}/{prefix}".rstrip("/")

    def connect(self, timeout=60):
        if not self.certificate:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def control(self, method, path, body=None):
        connection = self.connect()
        try:
            connection.request(method, "/control/" + path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(content["error"])
        return content

    def set(self, **kinds):
        """set(embed={...}, rerank={...}, chat={...}, all={...}); ValueError for what it does not know."""
        self.control("POST", "set", kinds)

    def reset(self):
        """Everything as at the start; open requests are cut."""
        self.control("POST", "reset", {})

    def counters(self):
        return self.control("GET", "counters")

    def requests(self, last=100):
        """[{"method", "path", "headers": [[name, value], ...], "body"}], the latest last."""
        return self.control("GET", f"requests?last={last}")

    def wait(self, condition, seconds=60):
        """Until condition(counters) holds; returns the counters."""
        until = time.monotonic() + seconds
        while True:
            counters = self.counters()
            if condition(counters):
                return counters
            if time.monotonic() > until:
                raise AssertionError(f"it did not come in {seconds} s: {counters}")
            time.sleep(0.01)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/schedstat") as stat:
            return int(stat.read().split()[0]) / 1e9
