"""Lists that are answered page by page."""

from typing import Any


def page(items: list[dict[str, Any]], limit: int, name: str) -> dict[str, Any]:
    """One page of a list. `next` is the cursor of the following page, null on the last."""
    return {"items": items, "next": items[-1][name] if len(items) == limit else None}
