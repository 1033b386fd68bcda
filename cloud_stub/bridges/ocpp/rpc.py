"""Calls and answers of OCPP-J on one WebSocket. One call of the gateway is open at a time; calls of the
central system are answered in their order.

GatewayError      an error of the connection or the central system; `kind` is one of KINDS and is counted
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from ocpp import messages
from ocpp.exceptions import FormatViolationError, GenericError, NotSupportedError, OCPPError
from ocpp.exceptions import NotImplementedError as UnknownAction
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ...base.budgets import Budget
from .errors import GatewayError

T = TypeVar("T")
log = structlog.get_logger()

VERSION = "1.6"
FRAME_MAX_BYTES = 65_536
FRAGMENTS_MAX = 1000  # of a frame; those without a byte do not count for FRAME_MAX_BYTES
ID_MAX = 36
UNANSWERED_MAX = 8
FRAMES = 60  # a burst of frames that answer no open call; then one in each `frame_s`

_UNREADABLE = (OCPPError, ValueError, RecursionError)
_OCPP_ACTIONS = frozenset(Action)  # type: ignore[call-overload]


Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Count = Callable[[GatewayError], None]


class Rpc:
    """answers: the function that answers a call of the central system, by action."""

    def __init__(
        self,
        socket: ClientConnection,
        answers: Mapping[str, Answer],
        count: Count,
        answer_s: float,
        frame_s: int,
    ):
        self._socket = socket
        self._answers = answers
        self._count = count
        self._answer_s = answer_s
        self._one_call = asyncio.Lock()
        self._awaited: tuple[str, asyncio.Future[Any]] | None = None
        self._unanswered: dict[str, Any] = {}  # by message id of a call without answer in time: a late answer
        self._budget = Budget(FRAMES, frame_s)
        self._frame_s = frame_s
        self.silent = False  # True: the central system has rejected the pile, so its calls get no answer

    async def run(self) -> None:
        """Read until the connection ends, which raises GatewayError."""
        try:
            while True:
                await self._handle_frame(await self._receive())
        except ConnectionClosed as error:
            raise GatewayError("Unreachable", str(error)) from None

    async def _receive(self) -> str | bytes:
        """The next frame. Raises GatewayError (BadFrame) if it has too many fragments."""
        fragments: list[Any] = []
        async for each in self._socket.recv_streaming():
            fragments.append(each)
            if len(fragments) > FRAGMENTS_MAX:
                raise GatewayError("BadFrame", f"more than {FRAGMENTS_MAX} fragments")
        return b"".join(fragments) if isinstance(fragments[0], bytes) else "".join(fragments)

    async def call(self, message_id: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a call; returns the payload of its answer. Raises GatewayError.

        If the answer to an earlier attempt with this message id has come late, it is returned at once.
        """
        async with self._one_call:
            answer = self._unanswered.pop(message_id, None) or await self._answered(
                message_id, action, payload
            )
        if isinstance(answer, messages.CallError):
            raise GatewayError("CallError", f"{action}: {answer.error_code} {answer.error_description}")
        answer.action = action
        try:
            await messages.validate_payload(answer, VERSION)
        except _UNREADABLE as error:
            raise GatewayError("BadAnswer", f"{action}: {_cause(error)}") from None
        return answer.payload

    async def _answered(self, message_id: str, action: str, payload: dict[str, Any]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._awaited = (message_id, future)
        try:
            await self._send(messages.Call(message_id, action, payload).to_json())
            return await within(self._answer_s, future)
        except asyncio.TimeoutError:
            if len(self._unanswered) >= UNANSWERED_MAX:
                self._unanswered.clear()
            self._unanswered[message_id] = None
            raise GatewayError("NoAnswer", action) from None
        finally:
            self._awaited = None

    async def _send(self, frame: str) -> None:
        try:
            await within(self._answer_s, self._socket.send(frame))
        except ConnectionClosed as error:
            raise GatewayError("Unreachable", str(error)) from None

    async def _handle_frame(self, frame: str | bytes) -> None:
        try:
            if isinstance(frame, bytes):
                raise ValueError("binary")
            message = messages.unpack(frame)
            _check_header(message)
            if not isinstance(message, messages.CallError):
                message.payload = _whole(message.payload)
        except _UNREADABLE as error:
            self._count(GatewayError("BadFrame", _cause(error)))
            await self._slow_down()
            return
        if isinstance(message, messages.Call):
            await self._answer(message)
        elif self._awaited is not None and self._awaited[0] == message.unique_id:
            if not self._awaited[1].done():
                self._awaited[1].set_result(message)
        elif message.unique_id in self._unanswered:
            self._unanswered[message.unique_id] = message
        else:
            self._count(GatewayError("UnknownAnswer"))
            await self._slow_down()

    async def _slow_down(self) -> bool:
        """Wait, if there have been too many frames. The socket's buffer then fills, which slows the peer
        down.
        """
        if self._budget.take(""):
            return False
        self._count(GatewayError("TooManyCalls"))
        await asyncio.sleep(self._frame_s)
        return True

    async def _answer(self, call: messages.Call) -> None:
        if self.silent:
            return
        try:
            if await self._slow_down():
                raise GenericError("Too many calls; wait a second")
            answer = messages.CallResult(call.unique_id, await self._result(call)).to_json()
        except OCPPError as error:
            answer = messages.CallError(call.unique_id, _code(error), error.description or "", {}).to_json()
        except Exception as error:
            log.exception("ocpp_call_failed", action=call.action)
            self._count(GatewayError("InternalError", f"{call.action}: {error!r}"))
            answer = messages.CallError(call.unique_id, "InternalError", "", {}).to_json()
        try:
            await self._send(answer)
        except asyncio.TimeoutError:
            raise GatewayError("NoAnswer", "the central system reads nothing") from None

    async def _result(self, call: messages.Call) -> dict[str, Any]:
        """Raises OCPPError."""
        answer = self._answers.get(call.action)
        if answer is None:
            self._count(GatewayError("UnknownCall", call.action))
            # The library has swapped the descriptions of these two codes.
            if call.action in _OCPP_ACTIONS:
                raise NotSupportedError("The action is not supported here")
            raise UnknownAction("The action is not known here")
        try:
            await messages.validate_payload(call, VERSION)
        except _UNREADABLE as error:
            self._count(GatewayError("BadCall", f"{call.action}: {_cause(error)}"))
            raise error if isinstance(error, OCPPError) else FormatViolationError() from None
        return await answer(call.payload)


async def within(limit_s: float, doing: Awaitable[T]) -> T:
    """Await `doing`. Raises asyncio.TimeoutError. Unlike asyncio.wait_for before Python 3.12, it loses no
    cancellation that comes together with the result.
    """
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.wait({task}, timeout=limit_s)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()


def _check_header(message: Any) -> None:
    """Raises ValueError."""
    if not isinstance(message.unique_id, str) or not 0 < len(message.unique_id) <= ID_MAX:
        raise ValueError("the message id is not a text of 1 to 36 characters")
    if isinstance(message, messages.CallError):
        if not isinstance(message.error_code, str):
            raise ValueError("the error code is not a text")
    elif not isinstance(message.payload, dict):
        raise ValueError("the payload is not an object")
    if isinstance(message, messages.Call) and not isinstance(message.action, str):
        raise ValueError("the action is not a text")


def _whole(value: Any) -> Any:
    """The value with 1 in place of 1.0, which JSON schemas accept as an integer."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _code(error: OCPPError) -> str:
    return str(getattr(error, "code", "GenericError"))


def _cause(error: BaseException) -> str:
    details = getattr(error, "details", None) or {}
    return str(details.get("cause", error) if isinstance(details, dict) else error)[:200]
