#!/usr/bin/env python3
"""The fake provider's own tests: run.py --edda PATH [--fake-provider PATH] [--only NAME] [-v].

The fake is taken from the build tree of the edda named. NAME is a file without test_ and .py, or
unittest's module.Class.test."""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import wire  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--edda", required=True, help="the binary; it need not be there")
    wire.provider.add_argument(parser)
    parser.add_argument("--only", action="append", help="one file, class or test")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    wire.binary = wire.provider.find(arguments.edda, arguments.fake_provider)
    loader = unittest.TestLoader()
    if arguments.only:
        names = [name if name.startswith("test_") else "test_" + name for name in arguments.only]
        suite = loader.loadTestsFromNames(names)
    else:
        suite = loader.discover(HERE)
    runner = unittest.TextTestRunner(verbosity=2 if arguments.verbose else 1)
    return 0 if runner.run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
