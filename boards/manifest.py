# What every pile freezes besides its own board.py (MicroPython's manifest language; paths are relative to
# this file). The simulated drivers stay out, and so does drivers/contracts.py, which nothing on a pile
# imports.
for name in (
    "boot",
    "main",
    "launcher",
    "start",
    "app",
    "assembly",
    "settings",
    "shell",
    "lamp",
    "config",
    "trouble",
):
    module(name + ".py", base_path="../firmware")
for name in ("pile", "net", "update"):
    package(name, base_path="../firmware")
package(
    "pile_protocol",  # wire.py and fields.py are for cloud and tools
    files=(
        "__init__.py", "checks.py", "chunk.py", "components.py", "errors.py", "manifest.py", "messages.py",
        "pricing.py",
        "seal.py", "topics.py", "updates.py", "words.py",
    ),
    base_path="../firmware",
)  # fmt: skip
package("drivers", files=("__init__.py", "equipment.py", "files.py", "patterns.py"), base_path="../firmware")
package("drivers/esp32", base_path="../firmware")
