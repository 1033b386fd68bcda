"""The hardware of an ESP32. Every pin is given by number, as boards/<board>/board.py says."""
