"""A corrupt, truncated, zero-length or foreign file for each file that the pile keeps: it starts, bills
nothing that did not flow and nothing twice, and works again."""

from bench import Bench

from pile.checksum import framed


def _corrupt(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


DAMAGES = {
    "corrupt": _corrupt,
    "truncated": lambda data: data[: len(data) // 2],
    "zero-length": lambda data: b"",
    "foreign": lambda data: b"\x7fELF" * 40,
    "foreign, with a right checksum": lambda data: framed(b'{"what": [1, 2, 3]}'),
    "blank flash": lambda data: b"\xff" * len(data),
}


def _damaged(name, how):
    """A bench with A-0 stored, A-1 waiting in the outbox and A-2 running past a price change, cut and
    damaged.
    """
    bench = Bench()
    bench.charged("A-0")
    bench.acknowledge_all()
    bench.charged("A-1")
    bench.order("A-2")
    bench.seconds(10)
    if name == "faults":
        bench.controller.journal.save_faults({1: ["GroundFailure", bench.world.at()]})
    bench.cut()
    files = bench.files()
    with files.open("/flash/" + name, "rb") as file:
        data = file.read()
    bench.damage(name, DAMAGES[how](data))
    bench.boot()
    return bench


def _ends_well(bench, name, how):
    """Stops what still runs, and holds the settlements against what flowed. Returns {order_id:
    settlement}.
    """
    bench.seconds(3)
    bench.stop("A-2")
    bench.seconds(2)
    settlements = bench.acknowledge_all()
    ids = [settlement["order_id"] for settlement in settlements]
    assert len(ids) == len(set(ids)), (name, how, ids)
    billed_mwh = sum([settlement["energy_mwh"] for settlement in settlements])
    assert billed_mwh <= bench.delivered_mwh(), (name, how)
    seqs = [settlement["seq"] for settlement in settlements]
    assert seqs == sorted(set(seqs)), (name, how, seqs)
    if bench.status()["connectors"][0]["fault"]:
        bench.reset()
    assert bench.works("A-3"), (name, how)
    bench.reboot()
    assert bench.works("A-4"), (name, how)
    return {settlement["order_id"]: settlement for settlement in settlements}


def check_the_running_order_is_damaged():
    """It cannot be billed any more; nothing else suffers."""
    for how in DAMAGES:
        bench = _damaged("order-1", how)
        assert not bench.closed(), how
        assert sorted(_ends_well(bench, "order-1", how)) == ["A-1"], how


def check_the_price_steps_are_damaged():
    """The energy is billed, at the lowest price that held."""
    for how in DAMAGES:
        bench = _damaged("steps-1", how)
        settled = _ends_well(bench, "steps-1", how)
        assert settled["A-2"]["energy_mwh"] > 15_000, how
        if how != "zero-length":
            lowest = min([step[1] for step in bench.orders["A-2"].rate["steps"][1:3]])
            assert settled["A-2"]["periods"][0][1] == lowest, (how, settled["A-2"]["periods"])


def check_the_last_reading_is_damaged():
    """What flowed before the last price change is still known; what flowed after is lost, not guessed."""
    for how in DAMAGES:
        bench = _damaged("check-1", how)
        settled = _ends_well(bench, "check-1", how)
        assert "A-2" in settled, how


def check_the_used_ids_are_damaged():
    """An order from before the boot may have been used: it is refused rather than run twice."""
    for how in DAMAGES:
        bench = _damaged("used", how)
        if how != "zero-length":
            bench.send("A-1")
            assert ("A-1", "Rejected", "UsedOrder") in bench.said(), how
        _ends_well(bench, "used", how)


def check_the_faults_are_damaged():
    """Lost faults are faults, until a person resets them."""
    for how in DAMAGES:
        bench = _damaged("faults", how)
        fault = bench.status()["connectors"][0]["fault"]
        assert fault == (None if how == "zero-length" else "InternalError"), how
        assert bench.closed() == (how == "zero-length"), how
        _ends_well(bench, "faults", how)


def check_the_acknowledgement_is_damaged():
    """What was stored already is sent again, which the cloud knows; nothing is forgotten, and no number
    used twice.
    """
    for how in DAMAGES:
        bench = _damaged("acked", how)
        settled = _ends_well(bench, "acked", how)
        assert sorted(settled) == ["A-0", "A-1", "A-2"], how


def check_a_segment_of_the_outbox_is_damaged():
    """Its settlements are lost or not, but others are sent, and the numbers go on."""
    for how in DAMAGES:
        bench = _damaged("out-00000001", how)
        settled = _ends_well(bench, "out-00000001", how)
        assert "A-2" in settled, how


def check_damage_is_counted_and_a_zero_length_file_is_none():
    for name in ("order-1", "steps-1", "check-1", "used", "faults", "acked"):
        for how in DAMAGES:
            expected = 0 if how == "zero-length" else 1
            assert _damaged(name, how).status()["damaged"] == expected, (name, how)
