"""The languages of pages and messages, and which one a request asks for."""

from fastapi import Request

LANGUAGES = ("en", "zh-CN")  # the first answers for all others


def language_of(request: Request) -> str:
    """The language that the cookie `language` names, else the first of LANGUAGES that the browser prefers."""
    chosen = request.cookies.get("language")
    if chosen in LANGUAGES:
        return chosen
    for wanted in _accepted(request.headers.get("accept-language", "")):
        for tag in LANGUAGES:
            if tag.partition("-")[0].lower() == wanted:
                return tag
    return LANGUAGES[0]


def _accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header without their regions, the most wanted first."""
    ranked = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > 0:
            ranked.append((-quality, place, tag.partition("-")[0].lower()))
    return [language for _, _, language in sorted(ranked)]
