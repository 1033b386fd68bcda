# For an image with the pile frozen in (MicroPython's manifest language; paths are relative to this file):
#   make -C ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=<this file>
include("$(PORT_DIR)/boards/manifest.py")
include("../manifest.py")
module("relays.py")
module("board.py")
