# The simulated pile for a MicroPython on a PC; not frozen, but deployed by the tests as any board is.
include("../manifest.py")
package("drivers/sim", base_path="../../firmware")
module("relays.py")
module("board.py")
