"""`make bench`: RateLock against the same parts without business logic, in the same run.

Each module of rows/ measures one thing. baselines/ (CPython) and device/ (MicroPython) hold the small
programs that they run. Only ratios can be compared between machines.
"""
