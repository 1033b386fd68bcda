"""Errors between the gateway and the central system, which are counted by kind:

Unreachable          no connection, or it was closed
TlsFailed
Unauthorized
HandshakeRefused     another HTTP status, or not a WebSocket
NoSubprotocol        the central system did not agree to ocpp1.6
NoAnswer             no answer in time
CallError            the answer is a CALLERROR
BadAnswer            the answer does not match its JSON schema
BadFrame             not OCPP-J
BadCall              a call that does not match its JSON schema
UnknownCall          a call that is not supported here
UnknownAnswer        an answer to no open call
TooManyCalls
Rejected             a request that the cloud refused; with the code of its problem
DatabaseUnavailable
InternalError        of this gateway
"""


class GatewayError(Exception):
    """kind: as above. detail: may be the central system's text; what no database holds becomes `?` in it."""

    def __init__(self, kind: str, detail: str = ""):
        detail = "".join(letter if letter.isprintable() else "?" for letter in detail[:200])
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
