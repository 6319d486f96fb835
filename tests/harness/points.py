"""The folder of FAULT_POINTS, for a live.Edda that runs edda-faults (tests/fault/fault_point.c, full_disk.c)."""

import os
import time


class Points:
    def __init__(self, edda):
        self.folder = os.path.join(edda.directory, "points")
        os.makedirs(self.folder)
        edda.environment["FAULT_POINTS"] = self.folder

    def arm(self, name):
        open(os.path.join(self.folder, name), "w").close()

    def disarm(self, name):
        os.unlink(os.path.join(self.folder, name))

    def wait_passed(self, name, seconds=40):
        until = time.monotonic() + seconds
        while os.path.exists(os.path.join(self.folder, name)):
            assert time.monotonic() < until, f"nobody came by {name}"
            time.sleep(0.01)


def add_argument(parser):
    parser.add_argument("--faults", help="edda-faults of a build with tests; by default the one beside --edda")


def find(parser, edda, given):
    path = given or os.path.join(os.path.dirname(os.path.abspath(edda)), "tests", "fault", "edda-faults")
    if not os.path.exists(path):
        parser.error(f"there is no {path}; say --faults")
    return path
