"""What a settlement is held against: every rule flags what breaks it, and no honest settlement."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_stub.settlements import chains, rules
from pile.recovery import KeptOrder
from pile.session import RECOVERY_JUMP_MWH
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakePile
from tests.portable import kit
from tests.portable.session_run import Run
from tools import ROOT

KWH = 1_000_000


@pytest.fixture
def honest_power(cloud: Any) -> None:
    """The default of a cloud. The other tests have a higher one: their piles deliver within seconds."""
    cloud.settings.connector_power_w = type(cloud.settings).model_fields["connector_power_w"].default


def flags(phone: Phone) -> list[str]:
    return phone.get()["settlement"]["flags"]


def ordered(phone: Phone, pile: FakePile, connector: int = 1, **limits: int) -> dict[str, Any]:
    phone.order(pile.device_id, connector, **limits)
    pile.order_status(phone.order_id, "Charging", connector=connector)
    return phone.message(pile)


def test_more_energy_than_the_limit_that_the_driver_confirmed(phone: Phone, pile: FakePile):
    pile.settle(ordered(phone, pile, energy_mwh=KWH), mwh=100 * KWH)
    assert "EnergyLimitExceeded" in flags(phone)


def test_a_longer_charge_than_the_limit_that_the_driver_confirmed(phone: Phone, pile: FakePile):
    message = ordered(phone, pile, duration_s=60)
    began = message["issued_at"]
    pile.settle(message, mwh=0, started_at=began - 9, ended_at=began + 60)
    assert flags(phone) == []
    pile.settle(ordered(phone, pile, duration_s=60), started_at=began, ended_at=began + 129)
    assert "DurationLimitExceeded" in flags(phone)


def test_an_end_that_has_not_come_yet(phone: Phone, pile: FakePile):
    pile.settle(ordered(phone, pile), ended_at=int(time.time()) + 11 * 3600)
    assert flags(phone) == ["EndInFuture"]


@pytest.mark.usefixtures("honest_power")
def test_more_than_the_connector_can_carry(phone: Phone, pile: FakePile):
    message = ordered(phone, pile)
    began = message["issued_at"]
    pile.settle(message, mwh=999 * KWH, started_at=began, ended_at=began + 1)
    assert flags(phone) == ["PowerTooHigh"]


def test_the_same_registers_twice(phone: Phone, pile: FakePile):
    same = {"start_register_mwh": 5 * KWH, "end_register_mwh": 7 * KWH}
    pile.settle(ordered(phone, pile), mwh=2 * KWH, **same)
    assert flags(phone) == []
    pile.settle(ordered(phone, pile), mwh=2 * KWH, **same)
    assert flags(phone) == ["RegisterOverlap"]


def test_what_flows_until_the_relay_is_open_may_exceed_a_limit(phone: Phone, pile: FakePile):
    pile.settle(
        ordered(phone, pile, energy_mwh=2 * KWH), mwh=2 * KWH + 100_000, stop_reason="EnergyLimitReached"
    )
    assert flags(phone) == []


def test_energy_worth_far_more_than_the_money_limit(phone: Phone, pile: FakePile):
    """The total is the limit, so the driver loses nothing; but the pile did not stop."""
    pile.settle(ordered(phone, pile, cost_minor=300), mwh=15 * KWH, stop_reason="CostLimitReached")
    assert flags(phone) == ["CostLimitExceeded"]


@pytest.mark.parametrize(
    "limits, lies, found",
    [
        ({}, {"stop_reason": "Remote"}, ["StopReasonMismatch"]),  # nobody asked for it
        ({}, {"stop_reason": "PowerLoss"}, ["StopReasonMismatch"]),
        ({}, {"stop_reason": "PowerLoss", "recovered": True}, []),
        ({}, {"stop_reason": "EnergyLimitReached"}, ["StopReasonMismatch"]),
        ({"energy_mwh": 2 * KWH}, {"stop_reason": "EnergyLimitReached"}, []),
        ({"energy_mwh": 3 * KWH}, {"stop_reason": "EnergyLimitReached"}, ["StopReasonMismatch"]),
        ({}, {"stop_reason": "TimeLimitReached"}, ["StopReasonMismatch"]),
        ({"duration_s": 30}, {"stop_reason": "TimeLimitReached"}, []),
        ({}, {"stop_reason": "CostLimitReached"}, ["StopReasonMismatch"]),
        ({"cost_minor": 340}, {"stop_reason": "CostLimitReached"}, []),
        ({"cost_minor": 900}, {"stop_reason": "CostLimitReached"}, ["StopReasonMismatch"]),
    ],
)
def test_a_stop_reason_is_held_against_what_it_tells_of(
    phone: Phone, pile: FakePile, limits: dict[str, int], lies: dict[str, Any], found: list[str]
):
    pile.settle(ordered(phone, pile, **limits), **lies)
    assert flags(phone) == found


def test_a_stop_that_the_driver_asked_for(phone: Phone, pile: FakePile):
    message = ordered(phone, pile)
    phone.stop()
    pile.settle(message, stop_reason="Remote")
    assert flags(phone) == []


@pytest.mark.parametrize(
    "register_mwh, after_s, lies, found",
    [
        (2 * KWH, 20, {}, []),
        (0, 20, {}, ["ReportsMismatch"]),  # below the start
        (3 * KWH, 20, {}, ["ReportsMismatch"]),  # above the end
        (3 * KWH, 20, {"recovered": True}, []),
        (2_500_000, 100, {}, ["ReportsMismatch"]),  # after the end
    ],
)
def test_the_last_meter_value_lies_within_the_settlement(
    phone: Phone, pile: FakePile, register_mwh: int, after_s: int, lies: dict[str, Any], found: list[str]
):
    message = ordered(phone, pile)
    pile.meter(phone.order_id, register_mwh, at=message["issued_at"] + after_s)
    pile.settle(message, **lies)
    assert flags(phone) == found


def test_an_end_long_after_the_pile_said_that_it_had_stopped(phone: Phone, pile: FakePile):
    message = ordered(phone, pile)
    pile.order_status(phone.order_id, "Finishing", "Local")
    pile.settle(message, mwh=0, ended_at=message["issued_at"] + 69)
    assert flags(phone) == []
    message = ordered(phone, pile)
    pile.order_status(phone.order_id, "Finishing", "Local")
    pile.settle(message, mwh=0, ended_at=message["issued_at"] + 100)
    assert "ReportsMismatch" in flags(phone)


@pytest.mark.usefixtures("honest_power")
def test_energy_that_appears_after_the_last_meter_value(phone: Phone, pile: FakePile):
    message = ordered(phone, pile)
    began = message["issued_at"]
    pile.meter(phone.order_id, 2_000, at=began + 28)
    pile.settle(message, mwh=500_000, started_at=began, ended_at=began + 30)
    assert flags(phone) == ["PowerTooHigh"]


# The last durable reading is of the step that begins at 2000.
CUT_STEPS = [[1000, 500, 0, "flat"], [2000, 800, 0, "peak"], [3000, 600, 0, "flat"], [4000, 600, 0, "flat"]]
CUT = {"recovered": True, "stop_reason": "PowerLoss", "started_at": 1500, "ended_at": 2500}


@pytest.mark.parametrize(
    "periods, lies, is_flagged",
    [
        ([(1, KWH), (2, 120_000)], {}, False),  # the power may have been cut in the cheaper step
        ([(2, 120_000)], {"stop_reason": "Remote"}, False),
        ([(1, KWH), (2, 120_000)], {"recovered": False}, True),
        ([(1, KWH), (2, 120_000)], {"stop_reason": "EVDisconnected"}, True),  # durable before the cut
        ([(1, KWH), (2, 120_001)], {}, True),
        ([(1, KWH), (2, 1), (3, 1)], {}, True),
        ([(2, 120_000)], {"ended_at": 1900}, True),  # dearer than at the end
    ],
)
def test_energy_after_the_end_is_at_most_what_a_power_cut_explains(
    periods: list[tuple[int, int]], lies: dict[str, Any], is_flagged: bool
):
    """No energy after the end was flagged where the pile had recovered."""
    rows = [[*CUT_STEPS[index], mwh, 0, 0] for index, mwh in periods]
    case: Any = SimpleNamespace(
        fields=CUT | {"periods": rows} | lies, rate={"steps": CUT_STEPS, "until_at": 5000}
    )
    assert rules._has_energy_outside(case) == is_flagged
    assert rules._CUT_MWH == RECOVERY_JUMP_MWH


@settings(max_examples=60)
@given(
    prices=st.lists(st.sampled_from([100_000, 200_000, 300_000, 900_000]), min_size=2, max_size=6),
    charged=st.lists(st.tuples(st.integers(1, 900), st.integers(0, 300_000)), min_size=1, max_size=6),
    counted_mwh=st.integers(0, RECOVERY_JUMP_MWH),
    back_after_s=st.none() | st.integers(0, 9_000),
    are_steps_lost=st.booleans(),
)
def test_what_a_pile_settles_after_a_power_cut_is_not_flagged(
    prices: list[int],
    charged: list[tuple[int, int]],
    counted_mwh: int,
    back_after_s: int | None,
    are_steps_lost: bool,
):
    steps = [[kit.AT - 60 + 600 * i, price, 0, "flat"] for i, price in enumerate(prices)]
    run = Run({"duration_s": 7_200}, kit.rate(steps=steps)).charging()
    for passed_s, energy_mwh in charged:
        run.step(1000 * passed_s, energy_mwh)
    kept = KeptOrder(b"", kit.AT, kit.REGISTER_MWH)
    kept.at, kept.register_mwh, kept.ran = run.session.at(run.now_ms), run.metering.register_mwh, True
    kept.boundaries = None if are_steps_lost else run.metering.boundaries
    after: Any = Run({"duration_s": 7_200}, kit.rate(steps=steps))
    after.readings.meter.remembers = after.readings.estop = True
    after.relay, after.register_mwh = False, kept.register_mwh + counted_mwh
    after.session.recover(kept, after.order["expires_at"], 0)
    after.utc_at = back_after_s and kept.at + back_after_s
    for _ in range(3):
        after.step(10_000)
    session = after.session
    assert (session.phase, session.metering.register_mwh) == ("Done", after.register_mwh)
    names = ("recovered", "stop_reason", "ended_at")
    fields = {name: getattr(session, name) for name in names} | session.metering.bill()
    case: Any = SimpleNamespace(fields=fields | {"started_at": kit.AT}, rate=after.order["rate"])
    assert not rules._has_energy_outside(case), fields


def test_the_table_of_rules_is_the_one_that_is_documented():
    page = (ROOT / "docs" / "protocol.md").read_text()
    _, _, rest = page.partition("| flag | held against | flagged when |\n|---|---|---|\n")
    documented = [line.strip("| ").split(" | ") for line in rest.partition("\n\n")[0].splitlines()]
    table = [[rule.flag, rule.against, rule.when] for rule in rules.RULES]
    assert documented == table + [list(each) for each in (*rules.OTHER_FLAGS, *chains.CHAIN_FLAGS)]


@pytest.mark.usefixtures("honest_power")
def test_a_pile_may_have_a_power_of_its_own(phone: Phone, pile: FakePile, operator: Any):
    """2.5 kWh in 30 s: 300 kW."""
    path = "/api/piles/PILE-1/connector-power"
    for power_w, found in ((None, ["PowerTooHigh"]), (400_000, []), (22_000, ["PowerTooHigh"])):
        assert operator("PUT", path, {"power_w": power_w}).status_code == 200
        assert operator("GET", "/api/piles/PILE-1/report").json()["connector_power_w"] == power_w
        pile.settle(ordered(phone, pile))
        assert flags(phone) == found
    for body in ({"power_w": 0}, {"power_w": 10**12}, {}):
        assert operator("PUT", path, body).status_code == 422
    assert operator("PUT", "/api/piles/NONE/connector-power", {"power_w": None}).status_code == 404
