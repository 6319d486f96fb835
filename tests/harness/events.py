"""What happened, as tests/sim/README.md's lines, for the checker that judges the simulation, too."""

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
