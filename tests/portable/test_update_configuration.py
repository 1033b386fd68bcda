"""Configuration over the air: checked, on trial from the next start, and given up by itself."""

import json

from pile.clock import CLOUD
from pile_protocol import topics
from tests.portable.kit import AT, DEVICE_ID, order, sealed, with_changes
from tests.portable.update_kit import configuration, configure, in_flash, read, write
from update import overrides, trial
from update.overrides import Overrides

WIFI2 = {"ssid": "充电站", "password": "correct horse"}
PEM = "-----BEGIN CERTIFICATE-----\n" + "A" * 80
BY_CABLE = {
    "device_id": DEVICE_ID,
    "key": "00" * 32,
    "broker": {"host": "one", "port": 8883, "ca": "ca.pem", "keepalive_s": 20},
    "wifi": {"ssid": "Courtyard", "password": "battery staple"},
}


def provisioned(rig):
    write("config.json", json.dumps(BY_CABLE).encode())


def start(rig, told_at=None):
    """The next start of the pile: the Overrides in effect."""
    rig.boot(told_at)
    found = Overrides()
    found.start()
    if found.on_trial:
        what = {"config_version": found.version}
        rig.host.begin_trial(trial.Trial(found, what, 0, trial.CONFIGURATION_MAX_MS, 100), False)
    return found


@in_flash
def test_a_second_network_is_confirmed_when_the_cloud_answers(rig):
    provisioned(rig)
    configure(rig, {"wifi2": WIFI2})
    assert rig.restart == "configuration 1 goes on trial"
    found = start(rig)
    assert found.on_trial and found.is_new("wifi2") and found.applied(BY_CABLE)["wifi2"] == WIFI2
    rig.cycles(10)
    assert rig.told[-1] == {"config_version": 1, "state": "Trial"}
    rig.pile.clock.tell(AT, CLOUD)
    rig.cycles(1)
    assert rig.told[-1] == {"config_version": 1, "state": "Confirmed"}
    found = start(rig)
    assert (found.version, found.on_trial, found.is_new("wifi2")) == (1, False, False)
    assert read("config.json") == json.dumps(BY_CABLE).encode(), "an older release needs it"


@in_flash
def test_without_an_answer_the_values_from_before_are_back(rig):
    provisioned(rig)
    configure(rig, {"ntp": "ntp.example.org"})
    start(rig, AT)
    rig.cycles(1)
    configure(rig, {"broker": {"host": "two", "port": 1883}}, 2)
    found = start(rig)
    broker = found.applied(BY_CABLE)["broker"]
    assert broker == {"host": "two", "port": 1883, "ca": "ca.pem", "keepalive_s": 20}
    rig.cycles(6_100)
    assert rig.restart == "back from what was on trial: NoCloud"
    found = start(rig)
    assert (found.version, found.on_trial, found.fell_back) == (1, False, (2, "NoCloud"))
    assert found.applied(BY_CABLE)["broker"]["host"] == "one"
    assert found.applied(BY_CABLE)["ntp"] == "ntp.example.org"


@in_flash
def test_a_value_goes_back_to_what_was_written_by_cable(rig):
    provisioned(rig)
    configure(rig, {"wifi2": WIFI2, "ca": PEM, "limits": {"max_current_ma": 16_000}})
    found = start(rig, AT)
    assert found.applied(BY_CABLE)["broker"]["ca_text"] == PEM
    rig.cycles(1)
    configure(rig, {"wifi2": None, "ca": None}, 2)
    found = start(rig, AT)
    applied = found.applied(BY_CABLE)
    assert "wifi2" not in applied and "ca_text" not in applied["broker"]
    assert applied["limits"] == {"max_current_ma": 16_000}


@in_flash
def test_what_cannot_be_used_is_refused(rig):
    provisioned(rig)
    configure(rig, {"ntp": "a"})
    start(rig, AT)
    rig.cycles(1)
    for reason, values, version, changes in (
        ("Expired", {}, 2, {"expires_at": AT}),
        ("AlreadyRuns", {}, 1, {}),
        ("LimitTooHigh", {"limits": {"max_current_ma": 35_001}}, 2, {}),
        ("LimitTooHigh", {"limits": {"feed_ma": 1_000}}, 2, {}),
        ("BadValue", {"wifi2": {"ssid": "é" * 17, "password": ""}}, 2, {}),
    ):
        configure(rig, values, version, **changes)
        assert rig.told[-1] == {"config_version": version, "state": "Refused", "reason": reason}
        assert read(overrides.TRIAL) is None and not rig.restart


@in_flash
def test_a_version_that_was_given_up_needs_a_new_number(rig):
    provisioned(rig)
    configure(rig, {"ntp": "a"}, 5)
    start(rig)
    rig.cycles(6_100)
    for version, reason in ((4, "FellBackBefore"), (5, "FellBackBefore"), (6, None)):
        start(rig, AT)
        configure(rig, {"ntp": "b"}, version)
        assert rig.told[-1].get("reason") == reason or rig.restart, (version, rig.told[-1])
    assert rig.restart


@in_flash
def test_no_configuration_is_tried_while_an_order_runs(rig):
    provisioned(rig)
    rig.pile.receive(topics.ORDER, order("o1"))
    rig.pile.cycle(5)
    configure(rig, {"ntp": "a"})
    assert rig.told[-1] == {"config_version": 1, "state": "Refused", "reason": "OrderRuns"}


@in_flash
def test_an_order_that_came_with_a_configuration_is_taken_before_the_restart(rig):
    provisioned(rig)
    receive = rig.pile.controller.receive
    receive(topics.CONFIG, configuration({"ntp": "a"}))
    receive(topics.ORDER, sealed(order("o1")))
    rig.cycles(20)
    assert rig.pile.relays[1] and not rig.restart
    rig.pile.stop("o1")
    rig.cycles(1)
    assert rig.restart == "configuration 1 goes on trial"
    assert not rig.pile.relays[1] and rig.pile.controller.outbox.depth == 1


@in_flash
def test_values_that_keep_the_pile_from_starting_are_given_up_after_three_starts(rig):
    provisioned(rig)
    configure(rig, {"ntp": "a"})
    for _ in range(overrides.STARTS_MAX):
        assert start(rig).on_trial
    found = start(rig)
    assert (found.on_trial, found.version, found.fell_back) == (False, 0, (1, "Crashed"))


@in_flash
def test_a_pile_that_is_provisioned_anew_has_what_was_written_by_cable(rig):
    provisioned(rig)
    configure(rig, {"broker": {"host": "two", "port": 8883}})
    start(rig, AT)
    rig.cycles(1)
    write("config.json", json.dumps(with_changes(BY_CABLE, {"ntp": "c"})).encode())
    found = start(rig, AT)
    assert (found.version, found.values) == (0, {})
    configure(rig, {"ntp": "d"}, 2)
    assert start(rig, AT).values == {"ntp": "d"}


@in_flash
def test_damaged_files_read_as_absent(rig):
    provisioned(rig)
    configure(rig, {"ntp": "a"})
    start(rig, AT)
    rig.cycles(1)
    for damage in (b"", b"\xff" * 40, read(overrides.CONFIRMED)[:-1]):
        write(overrides.CONFIRMED, damage)
        write(overrides.TRIAL, damage)
        found = start(rig)
        assert (found.version, found.values, found.on_trial) == (0, {}, False)


@in_flash
def test_a_configuration_for_another_pile_is_dropped(rig):
    provisioned(rig)
    configure(rig, {"ntp": "a"}, device_id="pile-0002")
    assert not rig.told and not rig.restart and rig.pile.controller.dropped == 1
