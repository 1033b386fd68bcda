"""The terminal console's parts; `tools/console.py` puts them together.

capture <- handoff <- live, replay        keys, reading, summary <- model, sinks <- app (Textual)
"""
