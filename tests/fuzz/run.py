"""Feeds damaged bytes to every decoder, under CPython and MicroPython alike:

    micropython tests/fuzz/run.py INPUTS SEED

in a folder that it may write to. Prints one JSON object: inputs, how many were taken, and every finding: an
error that is none of the decoder's own, with what brings it about again.
"""

import gc
import json
import sys

FINDINGS_MAX = 20


def add_paths():
    here = __file__.rpartition("/")[0] or "."
    for folder in (here + "/../..", here + "/../../firmware"):
        sys.path.insert(0, folder)


def fuzz(inputs, seed):
    from tests.fuzz.mutate import Random
    from tests.fuzz.targets import TARGETS

    names = sorted(TARGETS)
    taken = dict.fromkeys(names, 0)
    findings = []
    done = 0
    while done < inputs:
        for name in names:
            function, typed = TARGETS[name]
            # A generator of its own for each input: a finding is brought about again by its number alone.
            random = Random(seed * 1_000_003 + done)
            try:
                taken[name] += bool(function(random))
            except typed:
                pass
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                if len(findings) < FINDINGS_MAX:
                    findings.append({"target": name, "input": done, "seed": seed, "error": repr(error)})
                    print_trace(error)
            done += 1
            if done == inputs:
                break
        gc.collect()
    return {"inputs": done, "seed": seed, "taken": taken, "findings": findings}


def print_trace(error):
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, sys.stderr)
    else:
        import traceback

        traceback.print_exception(error)


if __name__ == "__main__":
    add_paths()
    print(json.dumps(fuzz(int(sys.argv[1]), int(sys.argv[2]))))
