"""A release on trial: no order is taken, and what is not confirmed goes back by itself."""

import json

from pile.clock import CLOUD
from tests.portable.kit import AT
from tests.portable.last_release import FILES
from tests.portable.update_kit import RELEASE, in_flash
from update import slots, trial

ON_TRIAL = ["a", 11, RELEASE, 1, [RELEASE, "NotConfirmed"]]


def on_trial(rig, told_at=None):
    """The pile starts in slot b, with its release on trial."""
    slots.write(ON_TRIAL)
    rig.flash.run("b")
    rig.boot(told_at)
    state = slots.load()
    assert state.on_trial and state.release == RELEASE
    rig.host.begin_trial(
        trial.Trial(state, {"release": RELEASE}, trial.RELEASE_MS, trial.RELEASE_MAX_MS, 100), True
    )
    return state


@in_flash
def test_it_is_confirmed_after_a_minute_of_cycles_on_time_and_an_answer_of_the_cloud(rig):
    on_trial(rig)
    rig.cycles(610)
    assert rig.states() == [("Trial", None)]
    rig.pile.clock.tell(AT, CLOUD)
    rig.cycles(1)
    assert rig.states()[-1] == ("Confirmed", None)
    assert slots.read() == ["b", RELEASE, 0, 0, None] and not rig.restart


@in_flash
def test_cycles_that_come_late_do_not_count(rig):
    on_trial(rig, AT)
    rig.cycles(1_000, 300)
    assert rig.states() == [("Trial", None)]
    rig.cycles(590)
    assert rig.states() == [("Trial", None)]
    rig.cycles(20)
    assert rig.states()[-1] == ("Confirmed", None)


@in_flash
def test_no_order_is_taken_on_trial(rig):
    on_trial(rig, AT)
    rig.cycles(10)
    (connector,) = rig.pile.controller.status({})["connectors"]
    assert connector["status"] == "Unavailable"
    rig.pile.order("o1")
    rig.pile.cycle()
    assert rig.pile.said() == [("o1", "Rejected", "OnTrial")] and not rig.pile.relays[1]
    rig.cycles(620)
    (connector,) = rig.pile.controller.status({})["connectors"]
    assert connector["status"] == "Available"
    rig.pile.order("o1")
    rig.pile.cycle()
    assert rig.pile.said()[-1][2] == "UsedOrder", "the cloud was told that it is rejected"
    rig.pile.order("o2", expires_at=AT + 120)
    rig.pile.cycle(3)
    assert rig.pile.relays[1]


@in_flash
def test_without_the_cloud_it_goes_back_after_half_an_hour(rig):
    on_trial(rig)
    rig.cycles(17_900)
    assert not rig.restart
    rig.cycles(200)
    assert rig.restart == "back from what was on trial: NoCloud"
    assert slots.read() == ["a", 11, 0, 0, [RELEASE, "NoCloud"]]
    rig.flash.run("a")
    assert slots.load().fell_back == (RELEASE, "NoCloud")


@in_flash
def test_with_late_cycles_it_goes_back_after_half_an_hour(rig):
    on_trial(rig, AT)
    rig.cycles(6_000, 301)
    assert rig.restart == "back from what was on trial: Late"
    assert slots.read()[4] == [RELEASE, "Late"]


@in_flash
def test_an_offer_on_trial_is_refused(rig):
    on_trial(rig, AT)
    rig.offer(release=13)
    rig.cycles(2)
    assert rig.states()[-1] == ("Refused", "OnTrial")


@in_flash
def test_a_flash_that_refuses_the_confirmation_is_asked_again(rig):
    state = on_trial(rig, AT)
    confirm = state.confirm
    calls = []

    def refuse():
        calls.append(1)
        if len(calls) < 5:
            raise OSError(5)
        confirm()

    state.confirm = refuse
    rig.cycles(620)
    assert slots.read() == ["b", RELEASE, 0, 0, None] and len(calls) == 5


@in_flash
def test_a_pile_that_cannot_note_its_way_back_restarts_all_the_same(rig):
    state = on_trial(rig)

    def refuse(reason):
        raise OSError(5)

    state.fall_back = refuse
    rig.cycles(18_100)
    assert rig.restart, "the launcher counts its starts"


@in_flash
def test_a_settlement_from_before_is_sent_on_trial(rig):
    rig.pile.charge("o1", cycles=12)
    rig.pile.stop("o1")
    on_trial(rig, AT)
    assert rig.pile.controller.outbox.depth == 1
    rig.acknowledge()
    assert rig.pile.controller.outbox.depth == 0


@in_flash
def test_what_the_last_release_left_in_flash_outlives_an_update_and_the_way_back(rig):
    """A settlement waits, and an order ran when the power went."""
    rig.pile.store.files = dict(FILES)
    rig.pile.set_register(5_027_000)
    on_trial(rig)
    assert rig.pile.connector(1).order.order_id == "o2"
    rig.cycles(18_100)
    assert slots.read()[4] == [RELEASE, "NoCloud"]
    rig.flash.run("a")
    rig.boot(AT)
    order_ids = []
    while rig.pile.controller.outbox.depth:
        order_ids.append(json.loads(rig.pile.controller.outbox.head()[1])["order_id"])
        rig.acknowledge()
    assert order_ids == ["o1", "o2"]


@in_flash
def test_an_order_from_before_goes_on_before_the_trial_ends(rig):
    rig.pile.order("o1")
    rig.pile.cycle(20)
    on_trial(rig, AT)
    rig.cycles(700)
    assert rig.pile.relays[1] and rig.states() == [("Trial", None)]
    rig.pile.stop("o1")
    rig.cycles(700)
    assert rig.states()[-1] == ("Confirmed", None)
