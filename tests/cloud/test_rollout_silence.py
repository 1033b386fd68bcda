"""Piles of a rollout that are away, do not answer, or fall silent."""

import pytest

from cloud_stub.releases import states
from tests.cloud.releases import Rollouts

HOUR_S = 3600


def test_piles_that_are_offline_come_last_and_are_awaited_until_the_deadline(rollouts: Rollouts):
    away = rollouts.pile("PILE-1", online=False)
    later = rollouts.pile("PILE-2", online=False)
    here = rollouts.pile("PILE-3")
    view = rollouts.start(waves=["1"], deadline_s=2 * HOUR_S)
    assert view["waves"] == [{"Queued": 1}, {"Queued": 2}]
    rollouts.step()
    here.update()
    rollouts.step(times=2)
    assert rollouts.view()["wave"] == 2
    assert away.updates() == later.updates() == []
    later.come()
    rollouts.step(HOUR_S // 2)
    later.update()
    rollouts.step(3 * HOUR_S)
    assert rollouts.states() == {"PILE-1": "Missed", "PILE-2": "Confirmed", "PILE-3": "Confirmed"}
    assert rollouts.view()["state"] == "Finished"
    away.come()
    rollouts.step(3 * HOUR_S)
    assert away.updates() == []


def test_a_pile_that_is_away_does_not_hold_up_its_wave(rollouts: Rollouts):
    piles = rollouts.piles(4)
    rollouts.start(waves=["2"])
    piles[0].offline()
    rollouts.step(times=3)
    assert [len(each.updates()) for each in piles] == [0, 1, 0, 0]  # half of a wave must have come through
    piles[1].update()
    rollouts.step(times=2)
    assert [len(each.updates()) for each in piles] == [0, 1, 1, 1]
    piles[0].come()
    rollouts.step()
    assert len(piles[0].updates()) == 1


def test_an_offer_without_an_answer_is_made_again_and_then_counts_as_lost(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    for attempt in range(1, 6):
        assert len(pile.updates()) == attempt
        rollouts.step(100 * attempt, times=2)
    assert rollouts.states() == {"PILE-1": "Lost"}
    pile.say_update("Trial")  # after all
    pile.say_update("Confirmed")
    assert rollouts.states() == {"PILE-1": "Confirmed"}


@pytest.mark.parametrize("state", states.AT_IT)
def test_a_pile_that_greets_and_is_not_at_it_any_more_is_offered_it_again(rollouts: Rollouts, state: str):
    """Its flash was erased, say: it stayed in that state until it counted as lost, or until the deadline."""
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    pile.say_update(state)
    pile.come()
    rollouts.step()
    assert len(pile.updates()) == 1  # it may go on by itself
    rollouts.step(100, times=2)
    assert len(pile.updates()) == 2
    pile.update()
    rollouts.step()
    assert rollouts.view()["state"] == "Finished"


def test_a_pile_that_greets_and_goes_on_is_not_offered_it_again(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    for _ in range(10):  # more often than offers are made
        pile.say_update("Downloading", done_bytes=768, total_bytes=4000)
        pile.come()
    pile.say_update("Downloading", done_bytes=1536, total_bytes=4000)
    rollouts.step(100, times=2)
    assert (len(pile.updates()), rollouts.states()) == (1, {"PILE-1": "Downloading"})


def test_a_release_that_crashes_before_it_is_heard_of_is_told_by_the_next_start(rollouts: Rollouts):
    pile = rollouts.pile("PILE-1")
    rollouts.start()
    rollouts.step()
    pile.say_update("Verifying")
    pile.come(fell_back=[12, "NotConfirmed"])
    pile.say_update("FellBack", reason="NotConfirmed")
    assert rollouts.states() == {"PILE-1": "FellBack"}


def test_a_pile_that_falls_silent_during_an_update_counts_as_lost(rollouts: Rollouts):
    piles = rollouts.piles(2)
    rollouts.start(waves=[])
    rollouts.step()
    piles[0].say_update("Trial")
    piles[1].say_update("Waiting", reason="OrderRuns")  # may take as long as an order
    rollouts.step(HOUR_S)
    assert rollouts.states() == {"PILE-1": "Trial", "PILE-2": "Waiting"}
    rollouts.step(3 * HOUR_S, times=2)
    assert rollouts.states() == {"PILE-1": "Lost", "PILE-2": "Queued"}
    assert rollouts.view()["halted_why"] == "lost piles in wave 1: 1"
