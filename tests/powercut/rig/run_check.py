"""micropython run_check.py MODULE NAME: runs one check; a traceback and exit status 1 where it fails."""

import sys

getattr(__import__(sys.argv[1]), sys.argv[2])()
print("ok")
