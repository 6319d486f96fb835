"""Starts what is measured, on loopback, private directories and free ports, and stops it again."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KEY = "sk_proj_" + "b" * 40


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_tree(pid):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
            except (OSError, ValueError):
                continue
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


class Service:
    """A server process: CPU seconds and memory of its whole tree."""

    def __init__(self, command, port, directory, environment=None):
        self.port = port
        self.directory = directory
        self.log = open(os.path.join(directory, "log"), "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **(environment or {})})

    def wait(self, path="/", seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        self.log.flush()
        with open(os.path.join(self.directory, "log")) as log:
            raise SystemExit(f"{self.process.args[0]} does not serve {path}:\n{log.read()[-4000:]}")

    def cpu_seconds(self):
        total = 0
        for pid in process_tree(self.process.pid):
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                        total += int(stat.read().split()[0])
            except OSError:
                continue
        return total / 1e9

    def rss_bytes(self):
        total = 0
        for pid in process_tree(self.process.pid):
            try:
                with open(f"/proc/{pid}/status") as status:
                    total += int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024
            except (OSError, AttributeError):
                continue
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def start_edda(binary, *flags, environment=None):
    directory = tempfile.mkdtemp(prefix="edda-bench-")
    port = free_port()
    service = Service([binary, "up", "--data", os.path.join(directory, "data"),
                       "--http", f"127.0.0.1:{port}", *flags], port, directory,
                      {"EDDA_API_KEY": KEY, "EDDA_LOG_LEVEL": "warning", **(environment or {})})
    return service.wait("/readyz")


def start_nginx():
    """A static 200 from memory: what an HTTP server costs that does nothing."""
    directory = tempfile.mkdtemp(prefix="edda-bench-nginx-")
    os.chmod(directory, 0o755)
    port = free_port()
    configuration = os.path.join(directory, "nginx.conf")
    with open(configuration, "w") as out:
        out.write(f"""worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
  uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json;
    return 200 '{{"status":"ok","checks":{{"database":true}}}}'; }} }} }}""")
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return Service([binary, "-c", configuration, "-p", directory], port, directory).wait()


def start_node():
    """Node's http module answering the same bytes; None where there is no node."""
    node = shutil.which("node") or shutil.which("nodejs")
    if not node:
        return None
    directory = tempfile.mkdtemp(prefix="edda-bench-node-")
    port = free_port()
    program = ("require('http').createServer((q,r)=>{r.setHeader('content-type','application/json');"
               "r.end('{\"status\":\"ok\",\"checks\":{\"database\":true}}')}).listen(%d,'127.0.0.1')" % port)
    return Service([node, "-e", program], port, directory).wait()


def call(service, method, path, body=None, timeout=60):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=timeout)
    headers = {"Authorization": "Bearer " + KEY}
    if body is not None:
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text[:1] in b"{[" and text else text
