"""The hardware of an ESP32. Pins are given by number, from boards/<board>/board.py."""
