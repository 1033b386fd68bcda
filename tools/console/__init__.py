"""The terminal console's parts; `__main__.py` puts them together.

capture <- handoff <- live, replay        keys, reading, summary <- model, sinks <- app (Textual)
"""
