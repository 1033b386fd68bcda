"""What the console knows after some messages, however many they were."""

from __future__ import annotations

from typing import Any

from pile_protocol import topics
from tests.console import kit
from tools.console import detail
from tools.console.capture import LinkChange, Message
from tools.console.model import LOG_KEPT, PILES_MAX, Model, Pile, Presence
from tools.console.palette import THEME, Palette
from tools.console.piletable import cells
from tools.console.power import KEPT_S, PowerCurve
from tools.console.reading import read

PALETTE = Palette.of(THEME.to_color_system().generate())


def told(*readings: tuple[str, dict[str, Any]]) -> Model:
    model = Model()
    for name, options in readings:
        model.apply(kit.reading(name, **options))
    return model


def pile_after(*readings: tuple[str, dict[str, Any]]) -> Pile:
    return told(*readings).piles[kit.DEVICE]


def connectors(**first: Any) -> list[dict[str, Any]]:
    """The connectors of a status, the first one changed."""
    one, two = kit.VALID[topics.STATUS]["connectors"]
    return [{**one, **first}, two]


def page(pile: Pile) -> str:
    return detail.page(pile, kit.AT_MS, PALETTE).plain


def test_a_charging_pile_has_power_and_a_running_order() -> None:
    pile = pile_after((topics.STATUS, {}), (topics.METER, {}))
    assert pile.online
    assert pile.power_mw(kit.AT_MS) == 7_010_000
    assert [each.order_id for each in pile.running] == ["o-1"]
    assert not pile.faults


def test_the_detail_shows_every_field_of_status_and_meter() -> None:
    shown = page(pile_after((topics.RATE, {}), (topics.STATUS, {}), (topics.METER, {})))
    for words in (
        *("firmware    0.1.0", "heap free   42.1 KiB", "at least    20.6 KiB", "clock       Cloud"),
        *("outbox      3 waiting", "dropped     11", "damaged     12", "late by     13 ms", "said at "),
        *("Connector 1  Charging  plugged", "Connector 2  Available  not plugged", "order       o-1"),
        *("power       7.01 kW", "energy      1.234 kWh", "cost        1.98 CNY", "elapsed     10:34"),
        *("3.765 kWh left", "18.02 CNY left", "49:26 left", "register    9,876.543 kWh", "read at "),
    ):
        assert words in shown, f"{words!r} is missing in\n{shown}"


def test_members_of_a_newer_firmware_are_shown_too() -> None:
    pile = pile_after(
        (topics.STATUS, {"rssi_dbm": -61, "connectors": connectors(latched=[1])}),
        (topics.METER, {"volts_\x1b": "[red]230"}),
    )
    shown = page(pile)
    assert "rssi_dbm    -61" in shown
    assert "latched     [1]" in shown
    assert "volts_\\x1b" in shown and "[red]230" in shown


def test_a_fault_and_its_connector_are_known() -> None:
    pile = pile_after((topics.STATUS, {"connectors": connectors(status="Faulted", fault="GroundFailure")}))
    assert [(each.number, each.fault) for each in pile.faults] == [(1, "GroundFailure")]


def test_a_last_will_keeps_what_was_known_and_ends_the_power() -> None:
    pile = pile_after((topics.STATUS, {}), (topics.METER, {}), (topics.STATUS, {"raw": b'{"online":false}'}))
    assert pile.online is False
    assert pile.power_mw(kit.AT_MS) == 0
    assert pile.status is not None and pile.status["firmware"] == "0.1.0"


def at(seconds: int) -> int:
    return kit.AT_MS + 1_000 * seconds


def retained(name: str, at_ms: int, **options: Any) -> Message:
    message = kit.message(name, at_ms=at_ms, **options)
    return Message.arrived(at_ms, message.topic, message.payload, True)


def test_a_pile_that_says_nothing_for_long_is_silent_not_online() -> None:
    pile = pile_after((topics.STATUS, {}))
    assert [pile.presence(at(s)) for s in (0, 90, 91)] == [
        Presence.ONLINE,
        Presence.ONLINE,
        Presence.SILENT,
    ]
    assert "silent  heard 2 min" in detail.heading(pile, at(130), PALETTE).plain
    assert cells(pile, at(130), PALETTE)["connectors"].plain == "silent"


def test_what_the_broker_retains_of_a_pile_that_is_gone_does_not_make_it_online() -> None:
    """It left without a last will a day ago: its age counted from when the console was started."""
    day_s = 86_400
    model = Model()
    for name in (topics.STATUS, topics.RATE):
        model.apply(read(retained(name, at(day_s)), lambda _: kit.KEY))
    pile = model.piles[kit.DEVICE]
    assert pile.presence(at(day_s)) is Presence.SILENT
    assert cells(pile, at(day_s), PALETTE)["seen"].plain == "1 d"
    model.apply(kit.reading(topics.STATUS, at_ms=at(day_s + 30)))
    assert pile.presence(at(day_s + 30)) is Presence.ONLINE


def test_a_retained_status_without_a_time_proves_nothing() -> None:
    model = Model()
    model.apply(read(retained(topics.STATUS, kit.AT_MS, at=None), lambda _: kit.KEY))
    assert model.piles[kit.DEVICE].presence(kit.AT_MS) is Presence.UNKNOWN
    assert cells(model.piles[kit.DEVICE], kit.AT_MS, PALETTE)["seen"].plain == ""


def test_the_clouds_words_are_no_sign_of_the_pile() -> None:
    model = told((topics.STATUS, {}))
    model.apply(kit.reading(topics.ORDER, at_ms=at(200)))
    assert model.piles[kit.DEVICE].presence(at(200)) is Presence.SILENT


def test_a_meter_that_nobody_repeats_is_no_power_any_more() -> None:
    """Its sender was gone, and the console went on to show 7 kW for ever."""
    pile = pile_after((topics.STATUS, {}), (topics.METER, {}))
    assert pile.power_mw(at(30)) == 7_010_000
    assert pile.power_mw(at(31)) == 0
    assert pile.curve.values_mw(kit.AT + 32)[-3:] == [7_010_000, 0, 0]
    assert cells(pile, at(31), PALETTE)["energy"].plain == ""
    assert "power       7.01 kW" in detail.page(pile, at(31), PALETTE).plain  # with its age below


def test_power_ends_with_the_order_and_the_last_meter_stays() -> None:
    by_word = pile_after((topics.STATUS, {}), (topics.METER, {}), (topics.ORDER_STATUS, {"state": "Settled"}))
    by_status = pile_after(
        (topics.METER, {}), (topics.STATUS, {"connectors": connectors(order_id=None, status="Available")})
    )
    for pile in (by_word, by_status):
        assert pile.power_mw(kit.AT_MS) == 0
        assert not pile.running
        assert "o-1 (the last)" in page(pile)


def test_a_meter_counts_in_the_money_of_its_order_else_of_the_rate() -> None:
    assert pile_after((topics.METER, {})).money("o-1") == (None, None)
    assert pile_after((topics.RATE, {"currency": "KWD", "minor_digits": 3})).money("o-1") == ("KWD", 3)
    pile = pile_after((topics.ORDER, {}), (topics.RATE, {"currency": "KWD", "minor_digits": 3}))
    assert pile.money("o-1") == ("CNY", 2)
    assert pile.money("o-2") == ("KWD", 3)


def test_a_forged_or_invalid_message_changes_nothing_but_the_counts() -> None:
    model = told((topics.ORDER, {"key": bytes(32)}), (topics.STATUS, {"raw": b"junk"}))
    pile = model.piles[kit.DEVICE]
    assert (pile.connectors, pile.status, pile.online) == ({}, None, None)
    assert (model.bad_seal_count, model.problem_count, pile.problem_count) == (1, 2, 2)


def test_the_last_settlement_is_shown_with_its_seal() -> None:
    shown = page(pile_after((topics.SETTLEMENT, {})))
    assert "Last settlement  no. 7  ✓" in shown
    assert "total       2.90 CNY" in shown


def test_the_period_that_holds_now_is_marked() -> None:
    # AT is 22:13 in Shanghai.
    shown = page(pile_after((topics.RATE, {})))
    assert "07:00       flat   0.80 + 0.40  ◂ now" in shown
    assert shown.count("now") == 1
    assert "now" not in page(pile_after((topics.RATE, {"time_zone": "../../etc/passwd"})))


def test_the_link_is_news_in_the_log_and_losses_are_counted() -> None:
    model = Model()
    for up in (False, True, False, False, True):
        model.apply_link(LinkChange(1, up, "word"))
    assert model.losses == 1
    assert len(model.log) == 5


def test_a_flood_leaves_the_model_bounded() -> None:
    model = Model()
    for number in range(5 * LOG_KEPT):
        model.apply(kit.reading(topics.METER, at_ms=kit.AT_MS + number))
    pile = model.piles[kit.DEVICE]
    assert model.message_count == model.entry_count == pile.message_count == 5 * LOG_KEPT
    assert len(model.log) == LOG_KEPT
    assert model.log[-1].number == 5 * LOG_KEPT
    assert all(entry.reading is None or entry.reading.value is None for entry in model.log)
    assert len(pile.curve.values_mw(kit.AT // 1)) <= KEPT_S


def test_more_piles_than_can_be_are_counted_not_kept() -> None:
    model = Model()
    message = kit.message(topics.METER)
    for number in range(PILES_MAX + 50):
        topic = topics.topic(f"P-{number}", topics.METER)
        model.apply(read(Message.arrived(message.at_ms, topic, message.payload, False), lambda _: None))
    assert len(model.piles) == PILES_MAX
    assert model.untracked_count == 50
    assert len(model.log) <= LOG_KEPT


def test_the_rate_of_messages_counts_whole_seconds() -> None:
    model = Model()
    for second in range(10):
        for _ in range(20):
            model.apply(kit.reading(topics.METER, at_ms=kit.AT_MS + 1_000 * second))
    assert model.rate(kit.AT_MS + 10_000) == 20
    assert model.rate(kit.AT_MS + 12_000) == 12
    assert model.rate(kit.AT_MS + 60_000) == 0


def test_the_power_curve_has_one_value_a_second() -> None:
    curve = PowerCurve()
    assert curve.values_mw(100) == []
    for at_s, power_mw in ((100, 1), (100, 2), (103, 5), (102, 6)):
        curve.put(at_s, power_mw)
    assert curve.values_mw(105) == [2, 2, 2, 6, 6, 6]
    curve.put(10**12, 7)  # years later: no more values than there are kept
    assert curve.values_mw(10**12) == [0] * (KEPT_S - 1) + [7]
