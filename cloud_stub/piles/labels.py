"""The label of a connector: the code that opens its page, its name in letters, what to do, in two languages.

The name of a label is `PILE-1/2` for connector 2 of PILE-1, or `PILE-1` for the whole pile.

Drawn once as SVG. The PDF takes that drawing and sets the letters in the fonts that every PDF reader has;
the Chinese line is an outline, so a label prints the same everywhere: label_instruction.svg, one path, 1000
units high, made with Noto Sans CJK SC Bold (SIL Open Font License) of Debian's package fonts-noto-cjk.

The libraries for PDF and PNG are imported when a label is made: they take 47 MB and a second, which no other
command and no request needs.
"""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from fpdf import FPDF

WIDTH_MM, HEIGHT_MM = 90, 92
COLUMNS, ROWS = 2, 3  # on a sheet of A4
SHEET_WIDTH_MM, SHEET_HEIGHT_MM = 210, 297

INSTRUCTION = "Scan, see the price, confirm, charge."

_CODE_MM = 48
_CODE_TOP_MM = 18.2  # the label is white around the code for more than the four modules that readers want
_HEAD_MM = 11
_NAME_Y_MM = 75
_CHINESE_Y_MM = 78.2
_CHINESE_MM = 4.8
_ENGLISH_Y_MM = 87.8
_DOTS_PER_POINT = 4  # of a PNG: 288 an inch
_GREEN = "#0a7650"
_BOLT = "M18 4 7 18h7l-2 10 12-15h-7z"  # in a square of 32, as in the pages' icon


def names(device_id: str, connectors: int) -> list[str]:
    """The labels of a pile: one for each connector; the only connector of a pile needs no number."""
    if connectors == 1:
        return [device_id]
    return [f"{device_id}/{number}" for number in range(1, connectors + 1)]


def file_name(name: str, kind: str) -> str:
    """For the label's drawing or picture; the alphabet of ids has no dot."""
    return f"{name.replace('/', '.')}.{kind}"


def address(public_url: str, name: str) -> str:
    """The content of the QR code: the address of the page that opens on this connector."""
    return f"{public_url.rstrip('/')}/p/{name}"


def _code(text: str) -> tuple[str, int]:
    """(the dark modules as one SVG path, their number along a side)."""
    import segno

    code = segno.make(text, error="m", micro=False)
    path = []
    for y, row in enumerate(code.matrix):
        for run in re.finditer(b"\x01+", bytes(row)):
            length = len(run.group())
            path.append(f"M{run.start()} {y}h{length}v1h-{length}z")
    return "".join(path), len(code.matrix)


def plain_code(text: str) -> str:
    """A QR code as a drawing, black on white with the margin that readers want."""
    modules, side = _code(text)
    width = side + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {width}">'
        f'<rect width="{width}" height="{width}" fill="#fff"/>{_path(modules, 4, 4, 1)}</svg>'
    )


@cache
def _chinese() -> tuple[str, int]:
    """(the Chinese instruction as an SVG path 1000 units high, its width)."""
    drawing = Path(__file__).with_name("label_instruction.svg").read_text(encoding="utf-8")
    path = re.search(r' d="([^"]+)"', drawing)
    width = re.search(r'viewBox="0 0 (\d+) 1000"', drawing)
    if path is None or width is None:
        raise ValueError("label_instruction.svg is not one path in a box 1000 units high")
    return path[1], int(width[1])


def _drawing(text: str, letters: str = "") -> str:
    """The label as SVG, in millimetres; `letters` are added to it."""
    modules, side = _code(text)
    chinese, width = _chinese()
    chinese_scale = _CHINESE_MM / 1000
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm"',
            f' viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}">',
            f'<rect width="{WIDTH_MM}" height="{HEIGHT_MM}" fill="#fff"/>',
            f'<rect width="{WIDTH_MM}" height="{_HEAD_MM}" fill="{_GREEN}"/>',
            f'<path transform="translate(5 1.9) scale(0.22)" fill="#fff" d="{_BOLT}"/>',
            _path(modules, (WIDTH_MM - _CODE_MM) / 2, _CODE_TOP_MM, _CODE_MM / side),
            _path(chinese, (WIDTH_MM - width * chinese_scale) / 2, _CHINESE_Y_MM, chinese_scale),
            letters,
            "</svg>\n",
        )
    )


def _path(commands: str, x: float, y: float, scale: float) -> str:
    return f'<path transform="translate({x} {y}) scale({scale})" d="{commands}"/>'


def svg(public_url: str, name: str) -> str:
    """One label as a drawing."""
    middle = WIDTH_MM / 2
    letters = (
        '<g font-family="Helvetica, Arial, sans-serif" text-anchor="middle">'
        '<text x="12.5" y="7.6" font-size="6" font-weight="700" fill="#fff" text-anchor="start">'
        "RateLock</text>"
        f'<text x="{middle}" y="{_NAME_Y_MM}" font-size="{_name_size_mm(name):.2f}" font-weight="700"'
        f' font-family="Courier New, Courier, monospace">{escape(name)}</text>'
        f'<text x="{middle}" y="{_ENGLISH_Y_MM}" font-size="3.9">{INSTRUCTION}</text></g>'
    )
    return _drawing(address(public_url, name), letters)


def _name_size_mm(name: str) -> float:
    """The height of the name's letters, so that the longest still fits: a Courier letter is 0.6 as wide."""
    return min(7.0, (WIDTH_MM - 8) / (0.6 * len(name)))


def _place(pdf: FPDF, public_url: str, name: str, x: float, y: float) -> None:
    points = 72 / 25.4
    drawing = _drawing(address(public_url, name)).encode()
    pdf.image(io.BytesIO(drawing), x, y, WIDTH_MM, HEIGHT_MM)
    pdf.set_text_color(255, 255, 255)
    pdf.set_font("Helvetica", "B", 6 * points)
    pdf.text(x + 12.5, y + 7.6, "RateLock")
    pdf.set_text_color(0, 0, 0)
    for text, family, style, size_mm, at in (
        (name, "Courier", "B", _name_size_mm(name), _NAME_Y_MM),
        (INSTRUCTION, "Helvetica", "", 3.9, _ENGLISH_Y_MM),
    ):
        pdf.set_font(family, style, size_mm * points)
        pdf.text(x + (WIDTH_MM - pdf.get_string_width(text)) / 2, y + at, text)


def _document(width_mm: float, height_mm: float) -> FPDF:
    from fpdf import FPDF

    pdf = FPDF(unit="mm", format=(width_mm, height_mm))
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    return pdf


def pdf(public_url: str, names: list[str]) -> bytes:
    """Sheets of A4 to print and cut, COLUMNS x ROWS labels each."""
    document = _document(SHEET_WIDTH_MM, SHEET_HEIGHT_MM)
    document.set_title("RateLock: " + ", ".join(names[:20]))
    left = (SHEET_WIDTH_MM - COLUMNS * WIDTH_MM) / 2
    top = (SHEET_HEIGHT_MM - ROWS * HEIGHT_MM) / 2
    for i, name in enumerate(names):
        row, column = divmod(i % (COLUMNS * ROWS), COLUMNS)
        if row == column == 0:
            document.add_page()
        x, y = left + column * WIDTH_MM, top + row * HEIGHT_MM
        _place(document, public_url, name, x, y)
        document.set_draw_color(190)
        document.set_line_width(0.1)
        document.rect(x, y, WIDTH_MM, HEIGHT_MM)  # where to cut
    return bytes(document.output())


def png(public_url: str, name: str) -> bytes:
    """One label as a picture."""
    import pypdfium2

    document = _document(WIDTH_MM, HEIGHT_MM)
    document.add_page()
    _place(document, public_url, name, 0, 0)
    rendered = pypdfium2.PdfDocument(bytes(document.output()))
    try:
        picture = rendered[0].render(scale=_DOTS_PER_POINT).to_pil()
    finally:
        rendered.close()
    out = io.BytesIO()
    few_colours = picture.quantize(64)
    few_colours.save(out, "PNG", optimize=True, dpi=(72 * _DOTS_PER_POINT, 72 * _DOTS_PER_POINT))
    return out.getvalue()
