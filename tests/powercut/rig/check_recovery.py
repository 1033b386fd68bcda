"""Resume or settle after the power went: by clock, plug, meter, time passed, and what kind of reset it
was.
"""

from bench import Bench
from world import MEMORY, POWER_W, PULSES

from pile.open_order import RECOVERIES_MAX
from pile.session import RECOVERY_WAIT_MS

METERS = (PULSES, MEMORY)
LOST_MAX_MWH = 2 * POWER_W * 1_000 // 3_600


def _charging(kind, seconds=10):
    bench = Bench(kind=kind)
    bench.order("A-1")
    bench.seconds(seconds)
    assert bench.closed()
    return bench


def _settled(bench, reason, recovered=True):
    """The one settlement, held against what flowed."""
    (settlement,) = bench.acknowledge_all()
    assert (settlement["stop_reason"], settlement["recovered"]) == (reason, recovered), settlement[
        "stop_reason"
    ]
    assert 0 <= bench.delivered_mwh() - settlement["energy_mwh"] <= LOST_MAX_MWH
    assert not bench.closed()
    assert bench.works("next")
    return settlement


def check_it_goes_on_when_the_clock_is_told():
    for kind in METERS:
        bench = _charging(kind)
        bench.cut()
        bench.boot(clock=False)
        bench.seconds(30)
        assert not bench.closed(), "went on without a clock"
        bench.tell_time()
        assert bench.closed()
        bench.seconds(10)
        bench.stop("A-1")
        bench.seconds(2)
        settlement = _settled(bench, "Remote")
        assert settlement["ended_at"] - settlement["started_at"] >= 70


def check_without_a_clock_it_waits_and_settles_at_the_last_reading():
    for kind in METERS:
        bench = _charging(kind)
        bench.cut()
        bench.boot(clock=False)
        bench.seconds(RECOVERY_WAIT_MS // 1000 - 5)
        assert bench.controller.outbox.depth == 0
        bench.seconds(10)
        assert bench.controller.outbox.depth == 1
        bench.tell_time()
        settlement = _settled(bench, "PowerLoss")
        assert settlement["ended_at"] - settlement["started_at"] in (9, 10)


def check_with_the_plug_gone_it_settles_at_once():
    for kind in METERS:
        for clock in (False, True):
            bench = _charging(kind)
            bench.cut(unplug=True)
            bench.boot(clock=clock)
            assert bench.controller.outbox.depth == 1
            bench.seconds(5)
            bench.tell_time()
            _settled(bench, "PowerLoss")


def check_after_its_window_it_settles():
    for kind in METERS:
        bench = Bench(kind=kind)
        bench.order("A-1", duration_s=60)
        bench.seconds(10)
        bench.cut(dark_ms=60_000)
        bench.boot()
        bench.cycle()
        _settled(bench, "PowerLoss")


def check_after_a_watchdog_reset_it_goes_on_at_once():
    """The clock survives, and so does the count of a meter whose pulses are kept in RTC memory."""
    for kind in METERS:
        bench = _charging(kind)
        bench.cut(dark_ms=1_500)
        bench.boot(clock=False, rtc=True)
        assert bench.closed()
        bench.seconds(5)
        bench.stop("A-1")
        bench.seconds(2)
        bench.tell_time()
        _settled(bench, "Remote")


def check_a_stopped_order_never_closes_again():
    """The relay had opened for a stop, and the power went before the settlement."""
    for kind in METERS:
        bench = _charging(kind)
        bench.stop("A-1")
        assert not bench.closed() and bench.controller.outbox.depth == 0
        bench.cut()
        bench.boot()
        for _ in range(50):
            bench.cycle()
            assert not bench.closed()
        _settled(bench, "Remote")


def check_an_order_that_never_began_does_not_begin_after_it_expired():
    """It was durable, the power went before the relay closed, and nobody heard that it was accepted."""
    for expired in (False, True):
        bench = Bench()
        bench.pile.receive = bench.pile.receive_only
        bench.order("A-1")
        assert not bench.closed()
        bench.cut(dark_ms=290_000 if expired else 5_000)
        bench.boot()
        bench.cycle(3)
        assert bench.closed() is not expired
        if expired:
            (settlement,) = bench.acknowledge_all()
            assert (settlement["energy_mwh"], settlement["total_minor"]) == (0, 0)


def check_many_cuts_in_one_order():
    """It goes on so many times and no more; the id of the order takes no room each time."""
    for kind in METERS:
        bench = _charging(kind)
        closings = 0
        for i in range(70):
            bench.cut(dark_ms=1_500)
            bench.boot()
            bench.cycle(3 + i % 9)
            closings += bench.closed()
        assert closings == RECOVERIES_MAX
        (settlement,) = bench.acknowledge_all()
        assert settlement["stop_reason"] == "PowerQuality"
        assert settlement["energy_mwh"] <= bench.delivered_mwh()
        assert bench.status()["connectors"][0]["fault"] == "UnderVoltage"
        bench.reset()
        assert bench.works("next")
