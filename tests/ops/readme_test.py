"""Every command of the README is run: `python3 tests/ops/readme_test.py --edda PATH`.

All fenced blocks of the language `sh` are run in order, each with `set -euo pipefail`, in the root of
the clone, on a private data directory and home, with free ports put in the place of those that are
written. Exported
variables last from block to block. An HTML comment on the line before a block says more:
    <!-- test: serves -->        runs in the background until the end, from "edda serves on" or
                                 "keeps serving" on; "sk_proj_..." in later blocks becomes its key
    <!-- test: prints TEXT -->   its output must hold TEXT
    <!-- test: no, REASON -->    is not run
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from live import free_pair, free_port

OPTIONS = argparse.Namespace(edda="build/edda")
PLACEHOLDER = "sk_proj_..."


def blocks(path):
    """[(line number, directive or "", text)] of the sh blocks of a Markdown file."""
    found, directive, text, begin = [], "", None, 0
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            if text is not None:
                if line.rstrip() == "```":
                    found.append((begin, directive, "".join(text)))
                    text, directive = None, ""
                else:
                    text.append(line)
            elif line.rstrip() == "```sh":
                text, begin = [], number + 1
            elif line.startswith("<!-- test: "):
                directive = line[len("<!-- test: "):].rstrip().removesuffix("-->").strip()
            elif line.strip():
                directive = ""
    return found


class Readme(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="edda-readme-")
        os.chmod(self.directory, 0o711)  # PostgreSQL's user comes by; else its data would stay in /var/tmp
        self.address = f"127.0.0.1:{free_port()}"
        self.ports = {"127.0.0.1:7700": self.address, "127.0.0.1:7710": f"127.0.0.1:{free_port()}",
                      "127.0.0.1:7720": f"127.0.0.1:{free_port()}",
                      "127.0.0.1:7701": f"127.0.0.1:{free_pair()}"}
        self.key = PLACEHOLDER
        self.variables = os.path.join(self.directory, "variables")
        open(self.variables, "w").close()
        self.services = []
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("EDDA_")}
        self.environment.update(EDDA_HTTP=self.address, HOME=self.directory,
                                EDDA_DATA=os.path.join(self.directory, "data"))

    def tearDown(self):
        for service in self.services:
            if service.poll() is None:
                os.killpg(service.pid, signal.SIGTERM)
                service.wait(60)
        subprocess.run([os.path.join(ROOT, "ops", "postgres"), "stop",
                        os.path.join(self.directory, "postgres")], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def script(self, text):
        for written, taken in self.ports.items():
            text = text.replace(written, taken)
        text = text.replace(PLACEHOLDER, self.key)
        return (f"set -euo pipefail\n. '{self.variables}'\n{text}\n"
                f"export -p | grep -E '^declare -x (EDDA_|PATH=)' > '{self.variables}'\n")

    def run_block(self, number, directive, text):
        done = subprocess.run(["bash", "-c", self.script(text)], cwd=ROOT, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, f"README line {number}:\n{text}\n{done.stdout}")
        if directive.startswith("prints "):
            self.assertIn(directive[len("prints "):], done.stdout, f"README line {number}")

    def serve_block(self, number, text):
        log = os.path.join(self.directory, f"served-{number}")
        with open(log, "wb") as out:
            self.services.append(subprocess.Popen(
                ["bash", "-c", self.script("exec " + text)], cwd=ROOT, env=self.environment,
                stdout=out, stderr=out, start_new_session=True))
        waits_for = "keeps serving" if "--demo" in text else "serves on"
        until = time.monotonic() + 500
        while time.monotonic() < until:
            with open(log, errors="replace") as out:
                said = out.read()
            if waits_for in said:
                found = re.search(r"EDDA_KEY=(sk_proj_[0-9a-f]{40})|key: (sk_proj_[0-9a-f]{40})", said)
                if found:
                    self.key = found.group(1) or found.group(2)
                return
            if self.services[-1].poll() is not None:
                break
            time.sleep(0.1)
        self.fail(f"README line {number} does not serve:\n{text}\n{said}")

    def test_every_command_works_as_written(self):
        ran = 0
        for number, directive, text in blocks(os.path.join(ROOT, "README.md")):
            if directive.startswith("no,"):
                continue
            with self.subTest(line=number):
                if directive == "serves":
                    self.serve_block(number, text)
                else:
                    self.run_block(number, directive, text)
            ran += 1
        self.assertGreater(ran, 5)
        for service in self.services:
            os.killpg(service.pid, signal.SIGTERM)
            self.assertEqual(service.wait(60), 0, "a served block ends with 0 on SIGTERM")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda", help="taken for uniformity; the README builds")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], "-v", *rest])
