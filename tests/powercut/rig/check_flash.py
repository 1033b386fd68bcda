"""Flash that is full, refuses, or holds as many settlements as it may; and that no relay waits for it."""

import os

from bench import Bench, fill
from cloud import seal_message
from world import MOUNT

from pile.outbox import CAPACITY

SLOT_FILES = 17
SLOT_FILE_BYTES = 5_000
REAL_ORDERS = 50  # of those that fill the outbox; fewer than the ids that are remembered at a time


def check_a_full_file_system_takes_no_order():
    bench = Bench()
    junk = fill()
    bench.order("A-1")
    assert bench.said()[-1] == ("A-1", "Rejected", "StorageFailure")
    bench.cycle()
    assert not bench.closed()
    os.remove(junk)
    assert bench.works("A-2")


def check_a_file_system_that_fills_up_during_an_order():
    """The order ends in a fault, and its settlement is made when there is room: once, also after a
    restart.
    """
    for restart in (False, True):
        bench = Bench()
        bench.order("A-1")
        bench.seconds(10)
        junk = fill()
        bench.stop("A-1")
        assert not bench.closed(), "the relay waited for flash"
        bench.seconds(5)
        if bench.controller.outbox.depth == 0:
            assert ("A-1", "Settled", "Remote") not in bench.said()
        if restart:
            bench.reboot()
            bench.seconds(5)
            assert not bench.closed()
        os.remove(junk)
        bench.seconds(3)
        (settlement,) = bench.acknowledge_all()
        assert settlement["stop_reason"] == "Remote"
        assert 0 <= bench.delivered_mwh() - settlement["energy_mwh"] <= 4_000
        if bench.status()["connectors"][0]["fault"]:
            bench.reset()
        assert bench.works("A-2")


def check_it_starts_on_a_full_file_system():
    bench = Bench()
    bench.order("A-1")
    bench.seconds(5)
    junk = fill()
    bench.reboot()
    bench.seconds(3)
    bench.stop("A-1")
    bench.seconds(3)
    os.remove(junk)
    bench.seconds(3)
    assert [settlement["order_id"] for settlement in bench.acknowledge_all()] == ["A-1"]


def check_five_hundred_settlements_wait():
    """The next order is refused rather than a settlement dropped; all are sent in order once the cloud is
    back.
    """
    bench = Bench()
    for i in range(CAPACITY - REAL_ORDERS):
        bench.controller.outbox.add(_another(bench, "A-%d" % i))
    for i in range(CAPACITY - REAL_ORDERS, CAPACITY):
        assert not bench.status()["outbox_full"]
        bench.order("A-%d" % i, energy_mwh=200)
        bench.cycle(10)
        bench.said()
    for name in ("B-1", "B-2"):
        status = bench.status()
        assert status["outbox"] == CAPACITY and status["outbox_full"]
        bench.order(name)
        assert bench.said()[-1] == (name, "Rejected", "OutboxFull")
        bench.cycle()
        assert not bench.closed()
        bench.orders.clear()
        bench.reboot()
        bench.said()
    for slot in ("a", "b"):
        _fill_slot(slot)
    _, _, blocks, free, *_ = os.statvfs(MOUNT)
    assert free * 10 >= blocks, (free, blocks)
    settlements = bench.acknowledge_all()
    assert [settlement["seq"] for settlement in settlements] == list(range(1, CAPACITY + 1))
    assert [settlement["order_id"] for settlement in settlements] == ["A-%d" % i for i in range(CAPACITY)]
    mac = None
    for settlement in settlements:
        assert settlement["prev_mac"] == mac
        mac = settlement["mac"]
    assert not bench.status()["outbox_full"]
    assert bench.works("next")


def _fill_slot(slot):
    """As much as a release takes, and a fifth more."""
    os.mkdir(MOUNT + "/" + slot)
    for number in range(SLOT_FILES):
        with open("%s/%s/%d.mpy" % (MOUNT, slot, number), "wb") as file:
            file.write(bytes(SLOT_FILE_BYTES))


def _watch_checkpoints(bench):
    """Counts the writes after the relay opened; one that says how the order ended must not come before."""
    plant = bench.world.wires[0].plant
    journal = bench.controller.journal
    write = journal.keep_reading
    after_opening = []

    def checkpoint(*arguments):
        assert arguments[4] is None or not plant.coil, "written before the relay opened"
        if not plant.coil:
            after_opening.append(arguments)
        write(*arguments)

    journal.keep_reading = checkpoint
    return after_opening


def check_a_relay_never_waits_for_flash_to_open():
    """Whatever ends the order, the relay's driver is called before the flash is."""
    for end in ("stop", "unplug", "fault", "limit"):
        bench = Bench()
        bench.order("A-1", energy_mwh=20_000)
        bench.seconds(5)
        after_opening = _watch_checkpoints(bench)
        if end == "stop":
            bench.stop("A-1")
        elif end == "unplug":
            bench.world.wires[0].plant.plugged = False
        elif end == "fault":
            bench.controller.connectors[0].latch.code = "GroundFailure"
        bench.seconds(10)
        assert after_opening and bench.controller.outbox.depth == 1, end


def check_an_order_that_cannot_be_closed_is_not_settled_twice():
    """Its file could not be removed, its settlement was acknowledged and left flash, and a restart took it
    up again.
    """
    bench = Bench()

    def refuse(connector):
        raise OSError(5)

    bench.controller.journal.close_order = refuse
    bench.charged("A-1")
    for i in range(8):  # enough for a second segment, whose beginning lets the first one go
        bench.controller.outbox.add(_another(bench, "B-%d" % i))
    settled = [settlement["order_id"] for settlement in bench.acknowledge_all()]
    assert settled[0] == "A-1"
    bench.reboot()
    bench.seconds(3)
    assert not bench.closed() and bench.controller.outbox.depth == 0
    assert bench.works("A-2")


def _another(bench, order_id):
    """A settlement at the chain's end, as big as a real one."""
    outbox = bench.controller.outbox
    return seal_message(
        kind="settlement",
        order_id=order_id,
        seq=outbox.last_seq + 1,
        prev_mac=outbox.last_mac,
        padding="x" * 700,
    )


def check_an_order_whose_write_failed_does_not_run_after_a_restart():
    """The flash took it and then said no: it was refused, and must stay so."""
    bench = Bench()
    journal = bench.controller.journal
    open_order = journal.open_order

    def open_and_fail(*arguments):
        open_order(*arguments)
        raise OSError(5)

    journal.open_order = open_and_fail
    bench.order("A-1")
    assert bench.said()[-1] == ("A-1", "Rejected", "StorageFailure")
    bench.cycle(2)
    bench.reboot()
    bench.seconds(2)
    assert not bench.closed() and bench.controller.outbox.depth == 0
    assert bench.works("A-2")
