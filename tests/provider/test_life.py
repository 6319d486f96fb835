"""How the program starts and ends, and TLS."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import wire
from wire import QUESTION, provider


class Life(unittest.TestCase):
    def alive(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def wait_end(self, pid, seconds=60):
        until = time.monotonic() + seconds
        while self.alive(pid):
            self.assertLess(time.monotonic(), until, "it outlives its test")
            time.sleep(0.01)

    def test_it_ends_with_its_input_and_on_sigterm(self):
        with provider.FakeProvider(wire.binary) as fake:
            self.assertEqual(fake.stop(), 0)
        with provider.FakeProvider(wire.binary) as fake:
            fake.process.send_signal(signal.SIGTERM)
            self.assertEqual(fake.process.wait(60), 0)

    def test_it_ends_with_its_parent_whatever_holds_its_input(self):
        reading, writing = os.pipe()
        parent = subprocess.Popen([sys.executable, "-c", "import subprocess, sys, time\n"
                                   f"child = subprocess.Popen([{wire.binary!r}], stdin={reading}, "
                                   "stdout=subprocess.PIPE)\n"
                                   "print(child.stdout.readline() and child.pid, flush=True)\ntime.sleep(600)"],
                                  stdout=subprocess.PIPE, pass_fds=[reading])
        pid = int(parent.stdout.readline())
        self.assertTrue(self.alive(pid))
        parent.kill()
        parent.wait()
        parent.stdout.close()
        self.wait_end(pid)
        os.close(reading)
        os.close(writing)

    def test_it_refuses_flags_it_does_not_know(self):
        for flags in (["--odd"], ["--port"], ["--port", "x"], ["--dimension", "0"], ["--tls", "/none", "/none"]):
            done = subprocess.run([wire.binary, *flags], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, b""), flags)

    def test_it_speaks_tls(self):
        directory = tempfile.mkdtemp(prefix="edda-fake-")
        self.addCleanup(shutil.rmtree, directory)
        certificate, key = (os.path.join(directory, name) for name in ("certificate", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=fake",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True, timeout=60)
        with provider.FakeProvider(wire.binary, tls=(certificate, key)) as fake:
            self.assertTrue(fake.base.startswith("https://"))
            fake.set(chat={"tokens": 50, "token_ms": 1})
            connection = fake.connect()
            connection.request("POST", "/openai/v1/chat/completions", json.dumps({"stream": True, **QUESTION}))
            self.assertIn(b"[DONE]", connection.getresponse().read())
            connection.request("POST", "/v1/embeddings", json.dumps({"model": "m", "input": ["a"] * 96}))
            self.assertEqual(len(json.loads(connection.getresponse().read())["data"][95]["embedding"]), 1024)
            connection.close()
            fake.set(embed={"hang": True})
            connection = fake.connect()
            connection.request("POST", "/v1/embeddings", json.dumps({"model": "m", "input": "a"}))
            fake.wait(lambda counters: counters["open"] == 1)
            connection.close()
            fake.wait(lambda counters: counters["cancelled"] == 1 and counters["open"] == 0)
