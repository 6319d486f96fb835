"""What happened, as tests/sim/README.md's lines, for the checker that judges the simulation, too."""

import os
import subprocess
import threading
import time


class EventLog:
    """Lines of many threads in order of time. A value's quotes become apostrophes."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.file = open(path, "w", encoding="utf-8")
        self.began = time.monotonic()

    def write(self, node, event, **keys):
        words = []
        for key, value in keys.items():
            text = str(value).replace('"', "'").replace("\n", " ")
            words.append(f'{key}="{text}"' if " " in text or not text else f"{key}={text}")
        with self.lock:
            at = int((time.monotonic() - self.began) * 1e6)
            self.file.write(" ".join([str(at), node, event, *words]) + "\n")

    def offences(self, check_log):
        """After the last line: what was not kept, a line each; empty when all was."""
        self.write("-", "end", all=1)
        self.file.close()
        ran = subprocess.run([check_log, self.path], capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            raise RuntimeError(f"{check_log} ended with {ran.returncode}: {ran.stderr}")
        return ran.stderr if ran.returncode else ""


def add_argument(parser):
    parser.add_argument("--check-log", help="tests/sim/check_log of a build with tests; by default the one beside "
                        "--edda, or that of build-sanitized")


def find_checker(parser, edda, given):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    builds = (os.path.dirname(os.path.abspath(edda)), os.path.join(root, "build-sanitized"))
    paths = [given] if given else [os.path.join(build, "tests", "sim", "check_log") for build in builds]
    for path in paths:
        if os.path.exists(path):
            return path
    parser.error(f"there is no {paths[0]}; ops/build sanitized makes it, or say --check-log")
