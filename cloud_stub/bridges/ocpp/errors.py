"""What may go wrong between gateway and central system. Each is counted by its kind:

Unreachable          no connection, or it was closed
TlsFailed
Unauthorized
HandshakeRefused     another HTTP status, or not a WebSocket
NoSubprotocol        the central system did not agree to ocpp1.6
NoAnswer             in time
CallError            the answer is a CALLERROR
BadAnswer            the answer is not as its JSON schema
BadFrame             not OCPP-J
BadCall              a call that is not as its JSON schema
UnknownCall          a call that is not supported here
UnknownAnswer        an answer that nobody waits for
TooManyCalls
Rejected             a request that the cloud refused; with the code of its problem
DatabaseUnavailable
InternalError        of this gateway
"""


class GatewayError(Exception):
    """kind: as above."""

    def __init__(self, kind: str, detail: str = ""):
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail[:200]
