"""A central system for tests of the OCPP gateway, frame by frame, so that it can also be wrong or hostile;
and the gateway itself, in a thread of this process.
"""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft7Validator
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from cloud_stub.bridges.ocpp import progress, queue
from cloud_stub.bridges.ocpp.gateway import Gateway
from cloud_stub.bridges.ocpp.station import Timing
from cloud_stub.bridges.ocpp.target import Target
from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakePile

# Of another make than the library that the gateway uses.
PEER = Path(__file__).parent / "ocpp_peer"
SCHEMAS = PEER / "node_modules" / "ocpp-rpc" / "lib" / "schemas" / "ocpp1_6.json"
QUICK = Timing(answer_s=0.5, retry_s=0.05, reconnect_min_s=0.02, reconnect_max_s=0.1, poll_s=0.02, frame_s=1)
NO_ANSWER = object()


class Frame(NamedTuple):
    device_id: str
    from_pile: bool
    text: str


class Refusal(Exception):
    """Answered as a CALLERROR."""


Answer = Callable[[str, dict[str, Any]], Any]


class Central:
    """answers: by action, instead of the usual one. Each StartTransaction gets a number; a message id that
    comes again gets the answer that it had.
    """

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.frames: list[Frame] = []
        self.ids: dict[str, tuple[str, str]] = {}  # action and payload by message id
        self.calls: list[tuple[str, str, dict[str, Any]]] = []  # device, action, payload; each id once
        self.is_wrong = False
        self.repeats = 0  # calls that came again with their message id,
        self.altered: list[str] = []  # and of those that had another content
        self.answers: dict[str, Answer] = {}
        self.greeting: Callable[[ServerConnection], Any] | None = None
        self.process_request: Callable[..., Any] | None = None
        self.subprotocols: list[Any] | None = ["ocpp1.6"]
        self.connections: dict[str, ServerConnection] = {}
        self._known: dict[str, Any] = {}
        self._results: dict[str, asyncio.Future[Any]] = {}
        self._grown = threading.Condition()
        self._server: Any = None

    async def start(self, port: int = 0, **options: Any) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            port,
            subprotocols=self.subprotocols,
            process_request=lambda *args: self.process_request(*args) if self.process_request else None,
            max_size=None,
            **options,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/csms"

    async def stop(self) -> None:
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    def of(self, action: str, device_id: str = "PILE-1") -> list[dict[str, Any]]:
        """The payloads of the pile's calls of this action."""
        return [
            payload for device, each, payload in list(self.calls) if (device, each) == (device_id, action)
        ]

    def wait_for(self, action: str, count: int = 1, device_id: str = "PILE-1") -> list[dict[str, Any]]:
        self.wait(lambda: len(self.of(action, device_id)) >= count, f"{count} {action}")
        return self.of(action, device_id)

    def wait(self, is_so: Callable[[], Any], what: str) -> None:
        """Until a frame, or a look at what else changes, finds it so."""
        deadline = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < deadline, f"no {what}: {self.calls}"
            with self._grown:
                self._grown.wait(0.02)

    def transfers(self, message_id: str) -> list[dict[str, Any]]:
        found = [each for each in self.of("DataTransfer") if each["messageId"] == message_id]
        return [json.loads(each["data"]) for each in found]

    async def _serve(self, socket: ServerConnection) -> None:
        device_id = socket.request.path.rsplit("/", 1)[1] if socket.request else ""
        self.connections[device_id] = socket
        try:
            if self.greeting is not None:
                await self.greeting(socket)
            async for text in socket:
                await self._take(device_id, str(text))
        except ConnectionClosed:
            pass

    async def _take(self, device_id: str, text: str) -> None:
        self._note(Frame(device_id, True, text))
        kind, message_id, *rest = json.loads(text)
        if kind != 2:
            future = self._results.pop(message_id, None)
            if future is not None and not future.done():
                future.set_result((kind, rest))
            return
        action, payload = rest
        said = (action, json.dumps(payload))
        with self._grown:
            self.repeats += message_id in self.ids
            if message_id not in self.ids:
                self.ids[message_id] = said
                self.calls.append((device_id, action, payload))
            elif self.ids[message_id] != said:
                self.altered.append(message_id)
            self._grown.notify_all()
        try:
            answer = self._answer(message_id, action, payload)
            if asyncio.iscoroutine(answer):
                answer = await answer
            reply = [3, message_id, answer]
        except Refusal as error:
            reply = [4, message_id, "InternalError", str(error), {}]
            answer = None
        if answer is NO_ANSWER:
            return
        await self.send(device_id, json.dumps(reply))

    async def send(self, device_id: str, text: str | bytes) -> None:
        self._note(Frame(device_id, False, text if isinstance(text, str) else "binary"))
        await self.connections[device_id].send(text)

    def _note(self, frame: Frame) -> None:
        with self._grown:
            self.frames.append(frame)
            self._grown.notify_all()

    def _answer(self, message_id: str, action: str, payload: dict[str, Any]) -> Any:
        if action in self.answers:
            return self.answers[action](message_id, payload)
        return self.usual(message_id, action)

    def usual(self, message_id: str, action: str) -> Any:
        if message_id not in self._known:
            self._known[message_id] = self._usual(action)
        return self._known[message_id]

    def _usual(self, action: str) -> dict[str, Any]:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        started = sum("transactionId" in each for each in self._known.values())
        return {
            "BootNotification": {"status": "Accepted", "currentTime": at, "interval": 300},
            "Heartbeat": {"currentTime": at},
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "StartTransaction": {"transactionId": 100 + started, "idTagInfo": {"status": "Accepted"}},
            "StopTransaction": {"idTagInfo": {"status": "Accepted"}},
            "DataTransfer": {"status": "Accepted"},
        }.get(action, {})

    async def call(self, action: str, payload: dict[str, Any], device_id: str = "PILE-1") -> Any:
        """(3, [payload]) or (4, [code, description, details]) of the gateway's answer."""
        message_id = str(uuid.uuid4())
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._results[message_id] = future
        await self.send(device_id, json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(future, WAIT_S)

    def check_schemas(self) -> int:
        """No call was repeated with another content. Hold every frame against its JSON schema, but for calls
        of the central system that the gateway refused with a CALLERROR, and for all that a central system
        that `is_wrong` has sent. Returns how many there were.
        """
        assert not self.altered
        validators = _validators()
        refused = {json.loads(each.text)[1] for each in self.frames if each.from_pile and each.text[1] == "4"}
        actions = {}
        for frame in self.frames:
            try:
                kind, message_id, *rest = json.loads(frame.text)
                if kind == 2:
                    actions[message_id, not frame.from_pile] = rest[0]
            except (ValueError, TypeError, RecursionError):
                assert self.is_wrong and not frame.from_pile
                continue
            if not frame.from_pile and (self.is_wrong or message_id in refused):
                continue
            if kind == 4:
                code, description, details = rest
                assert isinstance(code, str) and len(description) <= 255 and isinstance(details, dict)
                continue
            action = rest[0] if kind == 2 else actions[message_id, frame.from_pile]
            validators[f"urn:{action}.{'req' if kind == 2 else 'conf'}"].validate(rest[-1])
        return len(self.frames)


def _validators() -> dict[str, Draft7Validator]:
    if SCHEMAS.exists():
        return {each["$id"]: Draft7Validator(each) for each in json.loads(SCHEMAS.read_text())}
    import ocpp.v16

    found = {}
    for file in (Path(ocpp.v16.__file__).parent / "schemas").glob("*.json"):
        name = file.stem
        answer = name.endswith("Response")
        key = f"urn:{name.removesuffix('Response')}.{'conf' if answer else 'req'}"
        found[key] = Draft7Validator(json.loads(file.read_text(encoding="utf-8-sig")))
    return found


class Running:
    """The gateway and its central system, in a loop of their own."""

    def __init__(self, cloud: Cloud, central: Central):
        self.cloud = cloud
        self.central = central
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._task: Any = None
        self.did(central.start())

    def did(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(WAIT_S)

    def call(self, action: str, payload: dict[str, Any], device_id: str = "PILE-1") -> Any:
        return self.did(self.central.call(action, payload, device_id))

    def status(self, action: str, **payload: Any) -> str:
        kind, rest = self.call(action, payload)
        return rest[0]["status"] if kind == 3 else rest[0]

    def start(self, target: Target | None = None, bound: int = queue.BOUND) -> None:
        gateway = Gateway(self.cloud.store, self.cloud.context, target or Target(self.central.url), QUICK)

        async def begin() -> None:
            self._task = asyncio.create_task(gateway.run(bound))

        self.did(begin())

    def stop(self) -> None:
        async def end() -> None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

        if self._task is not None:
            self.did(end())
            self._task = None

    def points(self) -> dict[str, dict[str, Any]]:
        """As `ocpp list` shows them, by device id."""
        with self.cloud.store.reading.connect() as conn:
            return {each["device_id"]: each for each in progress.list_views(conn)}

    def close(self) -> None:
        self.stop()
        self.did(self.central.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def charging(phone: Phone, pile: FakePile, connector: int = 1, at: int | None = None) -> str:
    """An order that charges, and whose first meter value, at `at`, is stored; the register begins at 0."""
    order_id = phone.order(connector=connector)["order_id"]
    pile.order_status(order_id, "Accepted", connector=connector)
    pile.order_status(order_id, "Charging", connector=connector)
    pile.meter(order_id, 0, connector=connector, at=at)
    return order_id


@contextmanager
def running(cloud: Cloud, central: Central) -> Iterator[Running]:
    made = Running(cloud, central)
    try:
        yield made
    finally:
        made.close()
