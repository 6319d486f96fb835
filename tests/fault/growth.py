"""What must not grow in a service whose parts are killed all the time, measured from outside, and how much
it may.

Memory: of a role at any time a constant, however often it was started and whatever is stored by then (nothing
is searched meanwhile, so the store holds no index); of the supervisor, the one process that lives throughout, as much in the end as in the beginning. Descriptors
of the supervisor and files of the data directory: a constant. The write-ahead log: a limit."""

import os
import time

MIB = 1 << 20
ROLE_MIB = 48
STORE_MIB = 64
SUPERVISOR_MIB = 2
DESCRIPTORS = 4  # of the supervisor
FILES = 4
WAL_MIB = 64     # SQLite's; PostgreSQL bounds its own by max_wal_size


def roles_of(supervisor):
    """[(pid, role)] of the children that run; a child that is not executed yet has no role."""
    found = []
    try:
        with open(f"/proc/{supervisor}/task/{supervisor}/children") as file:
            pids = file.read().split()
    except OSError:
        return found
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                words = line.read().decode().split("\0")
        except OSError:
            continue
        if len(words) > 1 and words[0] == "edda" and words[1] != "up":
            found.append((int(pid), words[1]))
    return found


def memory_of(pid):
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def descriptors_of(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def files_below(directory):
    return [os.path.join(folder, one) for folder, _, names in os.walk(directory) for one in names]


def size_of(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


class Growth:
    def __init__(self, edda):
        self.edda = edda
        self.samples = []
        self.files = len(files_below(edda.data))
        self.descriptors = descriptors_of(edda.process.pid) + DESCRIPTORS

    def measure(self, memos):
        supervisor = self.edda.process.pid
        roles = {}
        for pid, role in roles_of(supervisor):
            roles[role] = max(roles.get(role, (0, 0)), (memory_of(pid), descriptors_of(pid)))
        files = files_below(self.edda.data)
        self.samples.append({
            "memos": memos, "roles": roles, "files": len(files),
            "supervisor": (memory_of(supervisor), descriptors_of(supervisor)),
            "wal": sum(size_of(one) for one in files if one.endswith("-wal")),
        })

    def last(self):
        sample = self.samples[-1]
        memory = {role: f"{memory / MIB:.0f}" for role, (memory, _) in sample["roles"].items()}
        return (f"{sample['memos']} memos, {sample['files']} files, {sample['wal'] / MIB:.1f} MiB of log, "
                f"supervisor {sample['supervisor']}, MiB {memory}")

    def most(self, samples, role):
        return max((sample["roles"].get(role, (0, 0)) for sample in samples), default=(0, 0))

    def table(self):
        """The first, middle and last third."""
        third = max(1, len(self.samples) // 3)
        thirds = [self.samples[:third], self.samples[third:-third] or self.samples, self.samples[-third:]]
        lines = []
        for role in sorted({role for sample in self.samples for role in sample["roles"]}):
            most = [self.most(samples, role) for samples in thirds]
            lines.append(f"  {role:<10} MiB at most {' '.join(f'{one[0] / MIB:6.1f}' for one in most)}, "
                         f"descriptors {' '.join(f'{one[1]:3}' for one in most)}")
        for name, value in (("supervisor", lambda one: f"{one['supervisor'][0] / MIB:.1f} MiB "
                                                       f"{one['supervisor'][1]} descriptors"),
                            ("files", lambda one: str(one["files"])),
                            ("log", lambda one: f"{one['wal'] / MIB:.1f} MiB")):
            lines.append(f"  {name:<10} {'; '.join(value(samples[-1]) for samples in thirds)}")
        return "\n".join(lines)

    def check(self, test, times):
        """While it still serves, after the last kill. times: of memory, what a sanitizer needs more."""
        first, last = self.samples[len(self.samples) // 10], self.settle(test)
        for sample in self.samples:
            for role, (memory, _) in sample["roles"].items():
                allowed = (STORE_MIB if role == "store" else ROLE_MIB) * MIB
                test.assertLessEqual(memory, allowed * times, f"memory of the {role} at {sample['memos']} memos")
            test.assertLessEqual(sample["wal"], WAL_MIB * MIB)
            test.assertLessEqual(sample["files"], self.files + FILES, "files of the data directory")
        test.assertLessEqual(last["supervisor"][0] - first["supervisor"][0], SUPERVISOR_MIB * MIB)

    def settle(self, test):
        """Every role serves in the end: a part that is being started holds a readiness pipe of the supervisor."""
        until = time.monotonic() + 60
        while True:
            self.measure(self.samples[-1]["memos"])
            last = self.samples[-1]
            if len(last["roles"]) == 7 and last["supervisor"][1] <= self.descriptors:
                return last
            test.assertLess(time.monotonic(), until, f"it does not serve as at first ({self.descriptors} descriptors): {self.last()}")
            time.sleep(0.1)

    def check_left(self, test):
        """After it ended: nothing but what it is to keep."""
        test.assertEqual(files_below(self.edda.environment["TMPDIR"]), [], "temporary files")
