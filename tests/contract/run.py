#!/usr/bin/env python3
"""The HTTP contract against a built binary: run.py --edda PATH [--database URL] [--only NAME] [-v].

Each test file starts services of its own on free loopback ports and private temporary directories,
and stops them. With --database each keeps its store in a database of its own on that PostgreSQL server
(ops/postgres start DIR prints such a URL), and what HTTP_ALONE names is left out. NAME is a file without test_ and .py, or unittest's module.Class.test."""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
# Of what HTTP itself is, and what a provider is sent: no store has a part in it, so one run is enough. All other
# files run on both stores.
HTTP_ALONE = ("test_limits", "test_openai_wire", "test_smuggling")


def names_of_files():
    return sorted(name[:-3] for name in os.listdir(HERE) if name.startswith("test_") and name.endswith(".py"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--edda", required=True, help="the binary")
    parser.add_argument("--database", help="URL of a PostgreSQL server")
    parser.add_argument("--only", action="append", help="one file, class or test")
    parser.add_argument("--fake-provider", help="its path, when it is not in edda's build tree")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    sys.path.insert(0, HERE)
    import service
    import live
    live.server = arguments.database
    service.binary = os.path.abspath(arguments.edda)
    service.fake_provider = arguments.fake_provider
    loader = unittest.TestLoader()
    if arguments.only:
        names = [name if name.startswith("test_") else "test_" + name for name in arguments.only]
    else:
        names = [name for name in names_of_files() if not arguments.database or name not in HTTP_ALONE]
    suite = loader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(verbosity=2 if arguments.verbose else 1)
    return 0 if runner.run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
