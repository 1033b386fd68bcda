"""A server that answers as Stripe's API does for PaymentIntents and refunds, over HTTP, with state."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOSTILE = ("500", "hang", "not json", "another object")


class Stripe:
    """hostile: what the next request gets instead of its answer. It is done all the same."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.hostile: str | None = None
        self.released = threading.Event()
        self.url = ""

    def confirm(self, ref: str) -> None:
        """As the driver's browser does with the client secret."""
        intent = self.intents[ref]
        intent.update(status="requires_capture", amount_capturable=intent["amount"])

    def answer(self, verb: str, path: str, given: dict[str, str], key: str | None) -> tuple[int, Any]:
        if key is None or key not in self.answers:
            status, found = self._do(verb, path.split("/")[2:], given)
            found = json.loads(json.dumps(found))
            if key is None:
                return status, found
            self.answers[key] = (status, found)
        return self.answers[key]

    def _do(self, verb: str, path: list[str], given: dict[str, str]) -> tuple[int, Any]:
        metadata = {k[9:-1]: v for k, v in given.items() if k.startswith("metadata[")}
        if path == ["refunds"] and verb == "GET":
            mine = [row for row in self.refunds if row["payment_intent"] == given["payment_intent"]]
            return 200, {"object": "list", "data": mine, "has_more": False, "url": "/v1/refunds"}
        if path == ["payment_intents"]:
            ref = f"pi_{len(self.intents) + 1}"
            self.intents[ref] = {
                "id": ref,
                "object": "payment_intent",
                "amount": int(given["amount"]),
                "currency": given["currency"],
                "capture_method": given["capture_method"],
                "status": "requires_payment_method",
                "client_secret": ref + "_secret",
                "amount_received": 0,
                "metadata": metadata,
            }
            return 200, self.intents[ref]
        intent = self.intents.get(given["payment_intent"] if path == ["refunds"] else path[1])
        if intent is None:
            return _error(404, "resource_missing")
        if path == ["refunds"]:
            refunded = sum(row["amount"] for row in self.refunds if row["payment_intent"] == intent["id"])
            if refunded + int(given["amount"]) > intent["amount_received"]:
                return _error(400, "charge_already_refunded")
            row = {"id": f"re_{len(self.refunds) + 1}", "object": "refund", "status": "succeeded"}
            row |= {"amount": int(given["amount"]), "payment_intent": intent["id"], "metadata": metadata}
            self.refunds.append(row)
            return 200, row
        if verb == "POST" and path[2] == "capture":
            amount = int(given["amount_to_capture"])
            if intent["status"] != "requires_capture" or amount > intent["amount"]:
                return _error(400, "payment_intent_unexpected_state")
            intent.update(status="succeeded", amount_received=amount)
            intent["metadata"] |= metadata
        if verb == "POST" and path[2] == "cancel":
            if intent["status"] in ("succeeded", "canceled"):
                return _error(400, "payment_intent_unexpected_state")
            intent["status"] = "canceled"
        return 200, intent


def _error(status: int, code: str) -> tuple[int, Any]:
    return status, {"error": {"type": "invalid_request_error", "code": code, "message": code}}


@contextmanager
def serving() -> Iterator[Stripe]:
    stripe = Stripe()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            split = urlsplit(self.path)
            given = dict(parse_qsl(body or split.query))
            status, found = stripe.answer(
                self.command, split.path, given, self.headers.get("Idempotency-Key")
            )
            text = json.dumps(found).encode()
            hostile, stripe.hostile = stripe.hostile, None
            if hostile == "hang":
                stripe.released.wait(10)
                return
            if hostile == "500":
                status, text = 500, b'{"error": {"type": "api_error", "message": "no"}}'
            if hostile == "not json":
                text = b"<html>"
            if hostile == "another object":
                text = b'{"object": "nothing"}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stripe.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stripe
    finally:
        stripe.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
