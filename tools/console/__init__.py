"""The parts of the terminal console; `__main__.py` puts them together.

capture <- event_queue <- mqtt_source, replay
keys, reading, summary <- model, message_lines <- app (Textual), line_mode
"""
