"""Texts that people enter: names, notes and reasons, one line each, in which everything can be seen."""

import re
from collections.abc import Mapping
from typing import Any

# The controls C0 and C1, ends of lines and paragraphs, what has no width, and what turns the direction of
# the text around it: a name with these can look like another one, or rearrange a table. U+200C and U+200D
# are needed to write Persian and Hindi, and in emoji.
_HIDDEN = r"\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"

# Empty, or with something in it that is neither blank nor hidden. `min_length=1` refuses the empty one.
LINE_PATTERN = rf"^([^{_HIDDEN}]*[^\s{_HIDDEN}][^{_HIDDEN}]*)?$"
LINE_REASON = "must be one line of visible text, without control, direction or zero-width characters"


def is_line(text: str) -> bool:
    return re.fullmatch(LINE_PATTERN, text) is not None


def reason(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, from one of pydantic's errors: a sentence instead of the pattern."""
    given = error.get("ctx", {}).get("pattern")
    return LINE_REASON if given == LINE_PATTERN else str(error["msg"])
