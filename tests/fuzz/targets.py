"""Every decoder, each with good inputs to damage: `{name: (function(random), errors that may come out)}`.

A function makes one input, feeds it, and returns whether it was taken; whatever else it raises is a finding.
"""

import json

import config
from net import dns, mqtt_codec, ntp
from net.errors import MqttError
from pile.checksum import framed, unframed
from pile.outbox import Outbox
from pile.readings import MeterTraits
from pile.recovery import Reader
from pile_protocol import components, messages, pricing, seal, topics, wire
from pile_protocol.errors import MessageError, SealError, TopicError
from tests.fuzz.mutate import damaged
from tests.portable.kit import AT, DEVICE_ID, KEY, KINDS, Pile, order, rate, with_changes

CONFIG_FILE = "fuzzed config.json"
_MAC = "0" * 64
_NONCE = "0123456789abcdef"

_DOWN = {
    topics.ORDER: order(
        limits={"duration_s": 3_600, "energy_mwh": 10**7, "cost_minor": 500},
        rate=rate(
            steps=[[AT - 60, 1_000_000, 800_000, "flat"], [AT + 900, 1_200_000, 800_000, "peak"]],
            time_prices=[600_000, 900_000],
            tiers=[[200_000, 500_000], [400_000, 900_000]],
            idle={"price": 2_000_000, "after_s": 600, "max_minor": 1_000},
            minimum_minor=50,
            maximum_minor=5_000,
            tax_per_mille=60,
        ),
    ),
    topics.COMMAND: {
        "kind": "command",
        "device_id": DEVICE_ID,
        "action": "stop",
        "order_id": "o1",
        "connector": 1,
        "issued_at": AT,
        "expires_at": AT + 60,
    },
    topics.TIME: {"kind": "time", "device_id": DEVICE_ID, "nonce": _NONCE, "at": AT},
    topics.SETTLEMENT_ACK: {
        "kind": "ack",
        "device_id": DEVICE_ID,
        "order_id": "o1",
        "seq": 1,
        "settlement_mac": _MAC,
        "status": "Stored",
    },
}
_NAMES = tuple(sorted(_DOWN))  # MicroPython's dicts have no order
_SEALED = {name: seal.seal(messages.encode(_DOWN[name]), KEY) for name in _NAMES}


_RATE = {
    "rate_id": "r",
    "currency": "CNY",
    "minor_digits": 2,
    "session_fee_minor": 50,
    "time_zone": "Asia/Shanghai",
    "periods": [[0, 400_000, 200_000, "valley"], [420, 800_000, 400_000, "flat"]],
    "published_at": AT,
}


_VITALS = {
    "heap_free_bytes": 40_000,
    "heap_min_free_bytes": 30_000,
    "ram_free_bytes": 30_000,
    "ram_min_free_bytes": 20_000,
    "late_max_ms": 7,
    "reset_cause": "PowerOn",
    "wifi_rssi_dbm": -61,
}


def _upward():
    """One good message of each kind that a cloud reads."""
    pile = Pile()
    pile.charge("o1", cycles=12)
    meter = order_status = None
    mailbox = pile.controller.mailbox
    while True:
        item = mailbox.peek()
        if item is None:
            break
        if item[0] == topics.METER:
            meter = item[1]
        else:
            order_status = item[1]
        mailbox.done(*item)
    pile.stop("o1")
    return {
        topics.HELLO: messages.encode(pile.controller.hello(_NONCE)).encode(),
        topics.STATUS: messages.encode(pile.controller.status(_VITALS)).encode(),
        topics.METER: messages.encode(meter).encode(),
        topics.ORDER_STATUS: messages.encode(order_status).encode(),
        topics.SETTLEMENT: pile.controller.outbox.head()[1],
        topics.RATE: messages.encode(_RATE).encode(),
    }


_UPWARD = _upward()
for _name in _UPWARD:
    wire.decode(_name, _UPWARD[_name])  # a message that was bad before it was damaged would test nothing
_UPWARD_NAMES = tuple(sorted(_UPWARD))


# -- packets and datagrams -----------------------------------------------------------------------------------

_PACKETS = (
    b"\x20\x02\x00\x00",
    b"\x40\x02\x12\x34",
    b"\x90\x06\x00\x01\x01\x01\x01\x01",
    b"\xd0\x00",
    mqtt_codec.publish(topics.topic(DEVICE_ID, topics.ORDER), _SEALED[topics.ORDER], 1, False, 77),
    mqtt_codec.publish(topics.topic(DEVICE_ID, topics.TIME), _SEALED[topics.TIME], 0, True, 0),
    b"\x30\xff\xff\x7f\x00\x03a/b" + bytes(300),
)


def mqtt_packets(random):
    """A stream of packets, in any pieces."""
    data = b"".join([random.choice(_PACKETS) for _ in range(1 + random.below(3))])
    data = damaged(random, data)
    decoder = mqtt_codec.Decoder()
    found = 0
    at = 0
    while at < len(data):
        size = 1 + random.below(len(data))
        found += len(decoder.feed(data[at : at + size]))
        at += size
    return found > 0


def _dns_answer():
    query = dns.query("broker.example.org", b"\x12\x34")
    record = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01a\xc0\x0c"
    record += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07"
    return query[:2] + b"\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00" + query[12:] + record


_DNS = _dns_answer()
_NTP = bytes((0x24, 1)) + bytes(22) + b"nonce678" + bytes(8) + b"\xe8\x00\x00\x00\x00\x00\x00\x00"


def dns_answers(random):
    return dns.first_address(damaged(random, _DNS)) is not None


def ntp_answers(random):
    return ntp.parse(damaged(random, _NTP), b"nonce678") is not None


def topic_names(random):
    text = damaged(random, topics.topic(DEVICE_ID, random.choice(_NAMES)).encode())
    try:
        text = text.decode()
    except UnicodeError:
        return False  # the codec has refused it before
    topics.parse(text)
    return True


# -- messages ------------------------------------------------------------------------------------------------


def decoded_messages(random):
    """Each message of the wire, as a cloud reads it."""
    name = random.choice(_UPWARD_NAMES)
    wire.decode(name, damaged(random, _UPWARD[name]))
    return True


def seals(random):
    """No damaged message has a good seal."""
    data = _SEALED[random.choice(_NAMES)]
    changed = damaged(random, data)
    seal.check(changed, KEY)
    if changed != data:
        raise AssertionError("a damaged message has a good seal")
    return True


_pile = None


def _idle_pile():
    global _pile
    if _pile is None or _pile.connector().order is not None:
        _pile = Pile()
    return _pile


def received_messages(random):
    """A pile takes none of them, and its relay stays open."""
    pile = _idle_pile()
    name = random.choice(_NAMES)
    data = damaged(random, _SEALED[name])
    if data == _SEALED[name]:
        return False
    pile.receive_bytes(name, data)
    pile.cycle()
    pile.said()
    if pile.relays[1]:
        raise AssertionError("a damaged message closed the relay")
    return False


def received_lies(random):
    """Damaged, then sealed with the right key, as by a broken cloud. Only a sound order closes a relay."""
    pile = _idle_pile()
    name = random.choice(_NAMES)
    body = damaged(random, messages.encode(_DOWN[name]).encode())
    try:
        data = seal.seal(body, KEY)
    except SealError:
        data = body
    pile.store.log = []
    pile.receive_bytes(name, data)
    pile.cycle(3)
    pile.said()
    taken = pile.connector().order is not None
    if pile.relays[1]:
        messages.decode(topics.ORDER, data)
    return taken


_ORDER = _DOWN[topics.ORDER]


def component_orders(random):
    """Orders whose price components are damaged: what a pile takes of them, it settles as the cloud would."""
    name = random.choice(pricing.MEMBERS)
    value = json.dumps(_ORDER["rate"][name]).encode()
    marked = with_changes(_ORDER, {"rate": with_changes(_ORDER["rate"], {name: "here"})})
    body = messages.encode(marked).encode()
    pile = Pile()
    pile.receive_bytes(topics.ORDER, seal.seal(body.replace(b'"here"', damaged(random, value)), KEY))
    order_ = pile.connector().order
    if order_ is None:
        return False
    pile.cycle(5)
    _settle_as_the_cloud(pile, order_.order)
    return True


def _settle_as_the_cloud(pile, order_):
    """The vehicle leaves, and the settlement must be what the engine makes of its own lines."""
    pile.plugged[1] = False
    pile.settle()
    pile.plugged[1] = True
    settlement = pile.settlements()[-1]
    messages.validate(wire.SETTLEMENT, settlement)
    usage = components.usage_of(order_["rate"], settlement)
    bill = components.bill(order_["rate"], usage, order_["limits"].get("cost_minor"))
    if bill["total_minor"] != settlement["total_minor"]:
        raise AssertionError("another total than the cloud's")


# -- files ---------------------------------------------------------------------------------------------------


def _used_store():
    """The files of a pile in the middle of an order, with settlements waiting and a fault on connector 2."""
    pile = Pile(connectors=2)
    for n in range(3):
        pile.charge(f"old-{n}", cycles=3)
        pile.stop(f"old-{n}")
    pile.acknowledge(pile.settlements()[0])
    pile.readings(2).ground_fault = True
    pile.order("o1", rate=_DOWN[topics.ORDER]["rate"], limits={"duration_s": 3_600})
    pile.cycle(30)
    pile.cycle(1, 900_000)  # into the next price step
    pile.cycle(3)
    return pile.store.files


_FILES = _used_store()
_FILE_NAMES = tuple(sorted(_FILES))
_boot = Pile(connectors=2)


def pile_files(random):
    """A pile boots whatever its files hold and its meter is like, and works on; what it cannot read it leaves
    alone.
    """
    name = random.choice(_FILE_NAMES)
    files = dict(_FILES)
    content = unframed(files[name])
    if content is None or random.below(2):
        files[name] = damaged(random, files[name])
    else:
        files[name] = framed(damaged(random, content))  # as if it had been written so
    pile = _boot
    pile.store.files = files
    pile.store.log = []
    refresh_ms, interval_ms, step_mwh, forgets = random.choice(KINDS)
    pile.meters[1].traits = MeterTraits(refresh_ms, interval_ms, 0, step_mwh, not forgets)
    pile.meters[1].forgets = forgets
    pile.boot(AT + 905 if random.below(2) else None)
    pile.cycle(4)
    pile.said()
    outbox = pile.controller.outbox
    for _ in range(4):
        head = outbox.head()
        if head is None:
            break
        try:
            mac = seal.check(head[1], KEY)
        except SealError:
            break
        outbox.acknowledge(head[0], mac)
    return not pile.controller.journal.lost and not outbox.damaged


def usage_records(random):
    """What was counted of time, tiers and staying, written with a right checksum and wrong: it is dropped or
    billed, and the settlement is one of the locked rate.
    """
    pile = _boot
    pile.store.files = dict(_FILES)
    for name in ("usage-1", "times-1"):
        if random.below(2):
            pile.store.files[name] = framed(damaged(random, unframed(_FILES[name])))
    pile.store.log = []
    pile.meters[1].traits = MeterTraits()
    pile.meters[1].forgets = True
    pile.boot(AT + 905)
    order_ = pile.connector().order
    if order_ is None:
        raise AssertionError("the order is lost")
    _settle_as_the_cloud(pile, order_.order)
    return not pile.controller.journal.lost


def journal_records(random):
    """The journal alone, with every file damaged at once."""
    pile = _boot
    pile.store.files = {name: damaged(random, _FILES[name]) for name in _FILE_NAMES}
    reader = Reader(pile.store, [])
    reader.order(1)
    reader.order(2)
    reader.register_mwh(1)
    reader.faults()
    reader.used_ids()
    reader.counts()
    Outbox(pile.store).load(["o1"])
    return not reader.lost


_CONFIG = (
    b'{"device_id":"PILE-1","key":"'
    + b"5a" * 32
    + b'","broker":{"host":"192.0.2.1","port":8883,"ca":"ca.pem"'
    b',"keepalive_s":30},"wifi":{"ssid":"yard","password":"longer than eight"},"ntp":"pool.ntp.org"}'
)


def config_files(random):
    with open(CONFIG_FILE, "wb") as file:
        file.write(damaged(random, _CONFIG))
    config.load(CONFIG_FILE)
    return True


TARGETS = {
    "mqtt packets": (mqtt_packets, MqttError),
    "dns answers": (dns_answers, ()),
    "ntp answers": (ntp_answers, ()),
    "topic names": (topic_names, TopicError),
    "decoded messages": (decoded_messages, MessageError),
    "seals": (seals, SealError),
    "received messages": (received_messages, ()),
    "received lies": (received_lies, ()),
    "component orders": (component_orders, ()),
    "usage records": (usage_records, ()),
    "pile files": (pile_files, ()),
    "journal records": (journal_records, ()),
    "config files": (config_files, config.ConfigError),
}
