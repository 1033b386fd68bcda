"""Runs the portable tests on MicroPython, where there is no pytest:

    micropython tests/portable/run.py [FILE...]

Without a FILE: every test_*.py beside this one. A line and a traceback for each failure, then a summary;
exit status 1 where a test failed, a file could not be imported, or no test was found.
"""

import os
import sys


def folder_of(path):
    return path.rpartition("/")[0] or "."


def add_paths():
    """Lets the tests find their kit and the firmware, whatever MICROPYPATH says."""
    here = folder_of(__file__)
    for folder in (here + "/../..", here + "/../../firmware"):
        sys.path.insert(0, folder)
    return here


def asserts_work():
    """An interpreter that optimises asserts away would pass every test."""
    try:
        assert False  # noqa: B011 - this one is to be seen by no optimiser but the interpreter's
    except AssertionError:
        return True
    return False


def tests_in(path):
    """[(name, function)] of one file, by name. Raises whatever its import does."""
    folder, _, file = path.rpartition("/")
    sys.path.insert(0, folder or ".")
    try:
        module = __import__(file[: -len(".py")])
    finally:
        sys.path.pop(0)
    return [(name, getattr(module, name)) for name in sorted(dir(module)) if name.startswith("test_")]


def fails(label, action, *arguments):
    """Calls `action`; prints what it raised. Returns (whether it raised, its result)."""
    try:
        return False, action(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a test raises is its failure
        print("FAILED", label)
        sys.print_exception(error)
        return True, None


def run(paths):
    """(tests run, failures) of the files."""
    count = failures = 0
    for path in paths:
        file = path.rpartition("/")[2]
        failed, tests = fails(file + " (import)", tests_in, path)
        failures += failed
        for name, test in tests or ():
            count += 1
            failures += fails(file + " " + name, test)[0]
    return count, failures


def main(arguments):
    if not asserts_work():
        print("this interpreter ignores assert: nothing here could fail")
        return 1
    here = add_paths()
    paths = arguments or sorted(
        [here + "/" + name for name in os.listdir(here) if name.startswith("test_") and name.endswith(".py")]
    )
    count, failures = run(paths)
    print("%d tests, %d failed" % (count, failures))
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
