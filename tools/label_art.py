"""Draws the Chinese instruction of the labels as outlines, so that printing needs no Chinese font.

python -m tools.label_art FONT.ttc       writes cloud_stub/piles/label_instruction.svg

The drawing in the repository was made with Noto Sans CJK SC Bold (SIL Open Font License), of Debian's package
fonts-noto-cjk. To be run again only when the words change.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.ttCollection import TTCollection

from tools import ROOT

INSTRUCTION = "扫码看价格，确认后充电"  # noqa: RUF001 - a Chinese comma
FAMILY = "Noto Sans CJK SC"
OUT = ROOT / "cloud_stub" / "piles" / "label_instruction.svg"


def face(path: Path) -> TTFont:
    """The simplified Chinese face of a font or a collection of fonts."""
    with open(path, "rb") as file:
        if file.read(4) != b"ttcf":
            return TTFont(path)
    fonts = TTCollection(path).fonts
    return next((font for font in fonts if font["name"].getBestFamilyName() == FAMILY), fonts[0])


def drawing(font: TTFont, text: str) -> str:
    """`text` as an SVG of one path, 1000 units high, whose width is that of the text."""
    glyphs = font.getGlyphSet()
    names = font.getBestCmap() or {}
    # fontTools makes these attributes when it reads the font.
    scale = 1000 / font["head"].unitsPerEm  # pyright: ignore[reportAttributeAccessIssue]
    ascent = round(font["OS/2"].sTypoAscender * scale)  # pyright: ignore[reportAttributeAccessIssue]
    pen = SVGPathPen(glyphs, ntos=lambda number: str(round(number)))
    x = 0
    for character in text:
        glyph = glyphs[names[ord(character)]]
        glyph.draw(TransformPen(pen, (scale, 0, 0, -scale, x, ascent)))
        x += round(glyph.width * scale)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x} 1000">'
        f"<title>{text}</title>"
        f'<path d="{pen.getCommands()}"/></svg>\n'
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.label_art", description=__doc__)
    parser.add_argument("font", type=Path)
    options = parser.parse_args(argv)
    OUT.write_text(drawing(face(options.font), INSTRUCTION), encoding="utf-8")
    print(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
