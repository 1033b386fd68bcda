"""package.json, for `mpremote mip install`: python -m tools.board.package --write | --check

It lists the files of boards/manifest.py as sources. board.py is not in it, because people edit it and copy it
by hand. `make deploy` copies compiled files and compares them on the board.
"""

from __future__ import annotations

import json
import sys

from tools import ROOT
from tools.image import files as image
from tools.image.packages import firmware_version

FILE = ROOT / "package.json"


def text() -> str:
    from_manifest = image.sources(image.BOARDS / "manifest.py")
    urls = [[name, path.relative_to(ROOT).as_posix()] for name, path in from_manifest.items()]
    lines = ",\n".join("    " + json.dumps(pair) for pair in urls)
    return f'{{\n  "urls": [\n{lines}\n  ],\n  "deps": [],\n  "version": "{firmware_version()}"\n}}\n'


def main() -> int:
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(text())
        return 0
    if sys.argv[1:] != ["--check"]:
        print(__doc__)
        return 2
    if not FILE.exists() or FILE.read_text() != text():
        print("package.json is not current: python -m tools.board.package --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
