"""A real `edda` on a private directory and a free loopback port, for tests that speak HTTP to it."""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KEY = "sk_proj_" + "a" * 40


PORTS = range(10000, 20000)  # below those of ops/postgres, and of connections: who knocks could get such a one himself


def reserve(port):
    """Whether it is free, and nobody else who asks here has it; it is this process's until that ends, also while
    nobody listens there."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0edda-test-port-{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return False
    name.detach()
    return True


def free_ports(count):
    """So many in a row; the first."""
    while True:
        first = random.choice(PORTS[:-count])
        if all(reserve(port) for port in range(first, first + count)):
            return first


def free_port():
    return free_ports(1)


def free_pair():
    """A port that is free together with the next one."""
    return free_ports(2)


def children(pid):
    """[(pid, argv)] of a process's direct children."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
            if parent == pid:
                with open(f"/proc/{name}/cmdline", "rb") as line:
                    found.append((int(name), line.read().decode().rstrip("\0").split("\0")))
        except (OSError, ValueError, IndexError):
            continue
    return found


server = None  # URL of a PostgreSQL server: then every service has a database of its own there


class UseServer(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        global server
        server = namespace.database = value


def add_argument(parser):
    parser.add_argument("--database", action=UseServer, help="URL of a PostgreSQL server; SQLite without")


def tell_server(sql):
    done = subprocess.run(["psql", "-q", "-d", server, "-c", sql], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{sql}: {done.stderr}")


class Edda:
    """`edda up` with flags and settings. Use as a context; stops the service and removes its data."""

    def __init__(self, binary, *flags, environment=None, key=KEY):
        self.binary = binary
        self.flags = flags
        self.key = key
        self.directory = tempfile.mkdtemp(prefix="edda-test-")
        self.data = os.path.join(self.directory, "data")
        self.port = free_port()
        # No load balancer looks: what ends need not serve on.
        self.environment = {**os.environ, "EDDA_API_KEY": key or "", "EDDA_GRACE_MS": "50", **(environment or {})}
        if not key:
            self.environment.pop("EDDA_API_KEY")
        self.process = None
        self.database = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind:
            print(self.log()[-6000:])
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.database:
            tell_server(f"DROP DATABASE {self.database} WITH (FORCE)")

    def make_database(self):
        self.database = os.path.basename(self.directory).lower().replace("-", "_")
        tell_server(f"CREATE DATABASE {self.database}")
        self.environment["EDDA_DATABASE_URL"] = server.rpartition("/")[0] + "/" + self.database

    def start(self, seconds=60):
        if server and not self.database:
            self.make_database()
        self.output = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(
            [self.binary, "up", "--data", self.data, "--http", f"127.0.0.1:{self.port}", *self.flags],
            stdout=self.output, stderr=self.output, env=self.environment)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"edda ended with {self.process.returncode}:\n{self.log()}")
            try:
                if self.request("GET", "/readyz", timeout=2)[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"edda was not ready in {seconds} s:\n{self.log()}")

    def stop(self, seconds=60):
        """SIGTERM; returns the exit status, or raises when it does not end."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"edda did not stop in {seconds} s:\n{self.log()}")
        finally:
            self.output.close()
            self.process = None
        return status

    def log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as log:
            return log.read()

    def role(self, name):
        """The pids of the child processes of a role (only with --processes)."""
        return [pid for pid, argv in children(self.process.pid) if len(argv) > 1 and argv[1] == name]

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, headers, parsed JSON or bytes). body: bytes, or anything JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        fields = {"Authorization": "Bearer " + self.key} if self.key else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, {**fields, **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        except http.client.HTTPException as broken:
            raise ConnectionError(str(broken)) from broken
        finally:
            connection.close()
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("application/json") and content:
            content = json.loads(content)
        return response.status, response.headers, content
