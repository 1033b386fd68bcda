"""The baseline's pile: sends every message back and does nothing else.

Arguments: port, password.
"""

import socket
import sys

from net import mqtt_codec as codec
from pile_protocol import topics

UP = topics.topic("BASELINE", "up")

sock = socket.socket()
sock.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
sock.setsockopt(6, 1, 1)
sock.write(codec.connect("baseline echo", "cloud", sys.argv[2], 600, topics.topic("BASELINE", "will"), b"-"))
sock.write(codec.subscribe(1, [topics.topic("BASELINE", "down")]))
decoder = codec.Decoder()
packet_id = 0
while True:
    data = sock.recv(4096)
    if not data:
        break
    out = b""
    for kind, value in decoder.feed(data):
        if kind == codec.SUBACK:
            print("ready")
        if kind == codec.PUBLISH:
            packet_id = packet_id % 65_535 + 1
            out += codec.puback(value.packet_id)
            out += codec.publish(UP, value.payload, 1, False, packet_id)
    if out:
        sock.write(out)
