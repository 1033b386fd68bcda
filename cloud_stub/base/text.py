"""Texts that people enter: names, notes and reasons, one line each, in which everything can be seen."""

import re
from collections.abc import Mapping
from typing import Any

# The controls C0 and C1, ends of lines and paragraphs, what has no width or looks like a blank (the fillers
# of Hangul, the empty Braille pattern), and what turns the direction of the text around it: a name with these
# can look like another one, or rearrange a table.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
)
# Needed to write Persian and Hindi, and in emoji, but nothing that is seen alone: joiners, variants, tags.
_JOINING = "\u200c\u200d\ufe00-\ufe0f\U000e0000-\U000e0fff"

# Empty, or with something in it that is seen. `min_length=1` refuses the empty one.
LINE_PATTERN = rf"^([^{_HIDDEN}]*[^\s{_HIDDEN}{_JOINING}][^{_HIDDEN}]*)?$"
LINE_REASON = "must be one line of visible text, without control, direction or zero-width characters"


def is_line(text: str) -> bool:
    return re.fullmatch(LINE_PATTERN, text) is not None


def reason(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, from one of pydantic's errors: a sentence instead of the pattern."""
    given = error.get("ctx", {}).get("pattern")
    return LINE_REASON if given == LINE_PATTERN else str(error["msg"])
