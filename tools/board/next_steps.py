"""What is left to do for a pile that was registered at a cloud, read from that cloud."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from tools.harness.api_client import ApiError, Client


def lines(cloud: Client, device_id: str) -> Iterator[str]:
    """The pile's page and label, and what is missing before it can charge."""
    path = f"/api/piles/{quote(device_id)}"
    yield f"its page:  {cloud.base_url}/p/{quote(device_id)}"
    label = f"python -m cloud_stub pile label {device_id} --pdf label.pdf"
    yield f"its label: {cloud.base_url}/console, or {label}"
    try:
        rate = cloud.get(f"{path}/rate")
        pile = cloud.get(path)
    except ApiError as error:
        yield f"whether it has a rate is not known: {error}"
        return
    if rate.code == "NoRate":
        yield f"missing:   a rate. Set one in {cloud.base_url}/console; nobody can charge before"
    if pile.status == 200 and not pile.json()["online"]:
        yield "missing:   its first connection. The board's lines above say what it waits for"
