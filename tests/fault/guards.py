"""Every guard of FAULTS.md is taken away once, and the test of its row has to fail.

Each file of guards/ is a patch that disables one guard, and says above which test of which row notices, and how
that is run (README.md has the form). They are applied to a copy of HEAD in build-guards/, one at a time, which is
built sanitized. A test that fails without any patch shows nothing: each run is seen to pass first.

guards.py [--row N]...   takes the guards away; exit status 1 when one is missed by nobody
guards.py --check        only that the patches still apply and that every row has one"""

import argparse
import dataclasses
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATCHES = os.path.join(HERE, "guards")
WORK = os.path.join(ROOT, "build-guards")
TREE = os.path.join(WORK, "tree")
BUILD = os.path.join(TREE, "build-sanitized")
ONLY = os.path.join(WORK, "only.o")  # has a program run one test
LIMIT_S = 240  # a cmocka program has 120
NO_PATCH = "no patch:"  # in the guard's cell of a row, before the reason
HEADERS = {"Row", "Guard", "Test", "Run", "Build", "Fails"}
PYTHON_TARGETS = ["edda", "edda-faults", "fake_provider", "check_log"]
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


@dataclasses.dataclass
class Patch:
    name: str  # of the file, without .patch
    row: int
    guard: str
    test: str
    run: str
    build: list
    hangs: bool

    @property
    def path(self):
        return os.path.join(PATCHES, self.name + ".patch")


@dataclasses.dataclass
class Ran:
    status: int
    output: str
    timed_out: bool


def read_patch(name):
    """A patch's head; ValueError says what is wrong with it."""
    with open(os.path.join(PATCHES, name + ".patch"), encoding="utf-8") as file:
        head, _, rest = file.read().partition("\n\n")
    lines = [line.partition(":") for line in head.splitlines()]
    found = {key: value.strip() for key, _, value in lines}
    if not {"Row", "Guard", "Test", "Run"} <= set(found) <= HEADERS or len(found) != len(lines):
        raise ValueError(f"{name}.patch: its head is not of the form that README.md says")
    if not re.fullmatch(r"0*%s[b-z]?" % re.escape(found["Row"]), name):
        raise ValueError(f"{name}.patch: is not named after row {found['Row']}")
    if not rest.startswith("diff --git "):
        raise ValueError(f"{name}.patch: no patch comes after its head")
    if found.get("Fails", "hangs") != "hangs":
        raise ValueError(f"{name}.patch: Fails says hangs, or is left out")
    return Patch(name, int(found["Row"]), found["Guard"], found["Test"], found["Run"],
                 found.get("Build", "").split(), "Fails" in found)


def read_patches():
    """All that are well formed, in the order of their rows, and what is wrong with others."""
    patches, wrong = [], []
    for file in sorted(os.listdir(PATCHES)):
        name, ending = os.path.splitext(file)
        if ending == ".patch":
            try:
                patches.append(read_patch(name))
            except ValueError as error:
                wrong.append(str(error))
    return sorted(patches, key=lambda patch: (patch.row, patch.name)), wrong


def read_rows():
    """{number: (tests, guard)} of FAULTS.md."""
    rows = {}
    with open(os.path.join(HERE, "FAULTS.md"), encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 7 and cells[1].isdigit():
                rows[int(cells[1])] = (re.findall(r"`([a-z0-9_]+)`", cells[4]), cells[5])
    return rows


def git(*words, where=ROOT, check=True):
    ran = subprocess.run(["git", *words], cwd=where, capture_output=True, text=True)
    if check and ran.returncode:
        raise SystemExit(f"git {' '.join(words)}: {ran.stderr}")
    return ran


def check():
    """What a patch or a row lacks, a line each."""
    patches, wrong = read_patches()
    rows = read_rows()
    for patch in patches:
        tests, _ = rows.get(patch.row, ([], ""))
        if patch.test not in tests:
            wrong.append(f"{patch.name}.patch: row {patch.row} of FAULTS.md names no test {patch.test}")
        applied = git("apply", "--check", patch.path, check=False)
        if applied.returncode:
            wrong.append(f"{patch.name}.patch: does not apply any more\n{applied.stderr.rstrip()}")
    have = {patch.row for patch in patches}
    lacking = [str(row) for row, (_, guard) in rows.items() if row not in have and NO_PATCH not in guard]
    wrong += [f"row {row}: has no patch, and does not say why ({NO_PATCH} ...)" for row in lacking]
    for line in wrong:
        print(line)
    print(f"guards: {len(patches)} patches, {len(rows)} rows, {len(wrong)} wrong")
    return not wrong


def prepare():
    """The tree as HEAD has it, configured."""
    head = git("rev-parse", "HEAD").stdout.strip()
    if os.path.exists(os.path.join(TREE, ".git")):
        git("checkout", "--quiet", "--force", "--detach", head, where=TREE)
    else:
        git("worktree", "prune")
        git("worktree", "add", "--quiet", "--detach", TREE, head)
    ran = run([os.environ.get("CC", "cc"), "-c", os.path.join(PATCHES, "only.c"), "-o", ONLY])
    built = build(["edda_proto"]) if ran.status == 0 else ran
    if built.status:
        raise SystemExit(built.output)


def run(command, environment=(), limit_s=None):
    """Runs it in the tree, in a group of its own; killed with all its children at the limit."""
    with subprocess.Popen(command, cwd=TREE, env=dict(os.environ, **dict(environment)), text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=limit_s)
            return Ran(process.returncode, output, False)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Ran(process.returncode, output, True)


def build(targets):
    cache = {"CCACHE_BASEDIR": TREE, "CCACHE_NOHASHDIR": "1", "LDFLAGS": ONLY}
    if shutil.which("ccache"):
        cache["CMAKE_C_COMPILER_LAUNCHER"] = "ccache"
    return run(["ops/build", "sanitized", *targets], cache)


def ctest_programs():
    """{test: what builds its program}, also of programs that are not built yet."""
    programs = {}
    for directory, _, files in os.walk(os.path.join(BUILD, "tests")):
        if "CTestTestfile.cmake" in files:
            with open(os.path.join(directory, "CTestTestfile.cmake"), encoding="utf-8") as file:
                for name, program in re.findall(r'^add_test\((?:\[=*\[)?(\w+)(?:\]=*\])? "([^"]+)"', file.read(), re.M):
                    programs[name] = os.path.relpath(program, BUILD)
    return programs


def targets_of(patch, programs):
    if patch.run.startswith("python3 "):
        return patch.build or PYTHON_TARGETS
    if patch.run not in programs:
        raise SystemExit(f"{patch.name}.patch: there is no ctest {patch.run}")
    return [programs[patch.run], *patch.build]


def run_test(patch):
    if patch.run.startswith("python3 "):
        words = patch.run.format(edda=os.path.join(BUILD, "edda"), build=BUILD,
                                 faults=os.path.join(BUILD, "tests", "fault", "edda-faults"))
        return run(words.split(), SANITIZERS, LIMIT_S)
    ran = run(["ctest", "--test-dir", BUILD, "-V", "--no-tests=error", "--timeout", str(LIMIT_S),
               "-R", f"^{patch.run}$"], {"EDDA_ONLY_TEST": patch.test, **SANITIZERS})
    ran.timed_out = "***Timeout" in ran.output
    return ran


def states_of(ran):
    """What cmocka said, [(state, test)]; ERROR is a test whose teardown failed, too."""
    return re.findall(r"^(?:\d+: )?\[ +(RUN|OK|FAILED|ERROR) +\] (\w+)$", ran.output, re.M)


def passes(patch, ran):
    """A filter that finds no test passes, too: a test of cmocka must have run."""
    one = patch.run.startswith("python3 ") or patch.run == patch.test
    return ran.status == 0 and (one or ("OK", patch.test) in states_of(ran))


def judge(patch, ran):
    """Whether the run shows that the test missed its guard, and in which words."""
    name = re.escape(patch.test)
    lines = states_of(ran)
    states = {state for state, test in lines if test == patch.test}
    if states & {"FAILED", "ERROR"} or (ran.status and re.search(rf"^(FAIL|ERROR): {name}\b", ran.output, re.M)):
        return True, "failed: " + first_reason(patch, ran.output)
    if lines and lines[-1] == ("RUN", patch.test):  # that is where the program ended
        if ran.timed_out:
            return patch.hangs, "hangs"
        return ran.status != 0, "ended the program: " + first_reason(patch, ran.output)
    if patch.run == patch.test and ran.status and not ran.timed_out:  # a program that is one test
        return True, "failed: " + first_reason(patch, ran.output)
    if ran.timed_out:
        return patch.hangs and not states, "the run took too long"
    return False, "passes without it" if "OK" in states or not ran.status else "fails before it, or did not run"


def first_reason(patch, output):
    """The line to read first of what a failing run said."""
    _, _, after = output.partition(patch.test)
    reason = re.search(r"(\[  ERROR   \] --- .*|Could not run test: .*|\w*Error: .*|runtime error: .*|ERROR: \w+Sanitizer.*|.*(?i:assert).*)", after)
    return reason.group(0).strip()[:160] if reason else "see --verbose"


def take_away(patch, programs, passed, verbose):
    """One guard: (whether its test missed it, in which words)."""
    targets = targets_of(patch, programs)
    key = (patch.run, patch.test)
    if key not in passed:
        built = build(targets)
        if built.status:
            return False, "does not build even with its guard\n" + built.output[-3000:]
        ran = run_test(patch)
        passed[key] = passes(patch, ran)
        if verbose or not passed[key]:
            print(ran.output)
    if not passed[key]:
        return False, "does not pass with its guard"
    applied = git("apply", patch.path, where=TREE, check=False)
    if applied.returncode:
        return False, "does not apply any more: " + applied.stderr
    try:
        built = build(targets)
        if built.status:
            return False, "does not build\n" + built.output[-3000:]
        ran = run_test(patch)
        if verbose:
            print(ran.output)
        return judge(patch, ran)
    finally:
        git("checkout", "--quiet", "--force", "--", ".", where=TREE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only whether the patches still apply, and every row has one")
    parser.add_argument("--row", action="append", metavar="N", help="a row, or one of its patches: 14, 14b; all without")
    parser.add_argument("--verbose", action="store_true", help="all that the runs say")
    options = parser.parse_args()
    if options.check:
        sys.exit(0 if check() else 1)
    patches, wrong = read_patches()
    if wrong:
        sys.exit("\n".join(wrong))
    if options.row:
        wanted = {name.lstrip("0") for name in options.row}
        patches = [patch for patch in patches if str(patch.row) in wanted or patch.name.lstrip("0") in wanted]
        if not patches:
            sys.exit("there is no such patch")
    os.makedirs(WORK, exist_ok=True)
    with open(os.path.join(WORK, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # there is one tree
        prepare()
        programs, passed, unmissed = ctest_programs(), {}, []
        for patch in patches:
            began = time.monotonic()
            missed, words = take_away(patch, programs, passed, options.verbose)
            if not missed:
                unmissed.append(patch.name)
            print(f"{'missed' if missed else 'NOBODY'}  {patch.name}  {patch.guard}: {patch.test} {words} "
                  f"({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(patches)} guards taken away, {len(unmissed)} missed by nobody{': ' if unmissed else ''}"
          + ", ".join(unmissed))
    sys.exit(1 if unmissed else 0)


if __name__ == "__main__":
    main()
