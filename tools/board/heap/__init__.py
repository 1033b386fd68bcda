"""How much heap the firmware takes, measured on a 32-bit MicroPython: see __main__.py."""
