"""`make bench`: RateLock against the same parts with no business logic, in the same run.

rows/ measures one thing each; sticks/ (CPython) and device/ (MicroPython) hold the small programs they run.
Only ratios are to be compared between machines.
"""
