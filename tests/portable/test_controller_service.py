"""Out of service and restart: what the operator asks of a pile, and what stays so after a power cut."""

from pile_protocol import messages, wire
from tests.portable.kit import AT, Pile, rejected


def reported(pile):
    """(status, reason) of each connector, from a status that is valid on the wire."""
    status = pile.controller.status({})
    messages.validate(wire.STATUS, status)
    return [(each["status"], each.get("out_of_service")) for each in status["connectors"]]


def test_a_connector_out_of_service_refuses_orders_and_says_why():
    pile = Pile(connectors=2)
    pile.command("service", out=[[1, "Damaged"]])
    assert reported(pile) == [("Unavailable", "Damaged"), ("Available", None)]
    pile.order("o1")
    rejected(pile, "OutOfService")
    pile.charge("o2", connector=2)
    assert pile.connector(2).commanded


def test_a_running_order_goes_on_and_the_next_is_refused():
    pile = Pile()
    pile.charge()
    pile.command("service", out=[[1, "Maintenance"]])
    pile.cycle(20)
    assert pile.connector().commanded and reported(pile) == [("Charging", "Maintenance")]
    pile.stop()
    assert reported(pile) == [("Unavailable", "Maintenance")]
    pile.said()
    pile.order("o2")
    rejected(pile, "OutOfService", "o2")


def test_out_of_service_outlives_a_power_cut_and_ends_by_command():
    pile = Pile(connectors=2)
    pile.command("service", out=[[2, "Other"]])
    pile.boot(AT + 10)
    assert reported(pile) == [("Available", None), ("Unavailable", "Other")]
    pile.command("service", out=[])
    pile.boot(AT + 20)
    assert reported(pile) == [("Available", None)] * 2


def test_the_same_command_again_costs_no_write():
    pile = Pile()
    for _ in range(3):
        pile.command("service", out=[[1, "Damaged"]])
    assert pile.store.log.count(("write", "service")) == 1


def test_out_of_service_that_the_flash_refuses_is_not_reported():
    """The cloud sends the command again until the status agrees."""
    pile = Pile()
    pile.store.refusing = True
    pile.command("service", out=[[1, "Damaged"]])
    assert reported(pile) == [("Available", None)] and pile.controller.dropped == 1
    pile.store.refusing = False
    pile.command("service", out=[[1, "Damaged"]])
    assert reported(pile) == [("Unavailable", "Damaged")]


def test_a_service_command_without_its_list_or_expired_changes_nothing():
    pile = Pile()
    pile.command("service", out=[[1, "Damaged"]])
    pile.command("service")
    pile.command("service", out=[], issued_at=AT - 60, expires_at=AT)
    assert reported(pile) == [("Unavailable", "Damaged")] and pile.controller.dropped == 1


def test_a_damaged_file_is_told_and_the_connector_is_in_service():
    pile = Pile()
    pile.command("service", out=[[1, "Damaged"]])
    pile.store.files["service"] = b"x" + pile.store.files["service"][1:]
    pile.boot(AT + 10)
    assert reported(pile) == [("Available", None)] and pile.controller.status({})["damaged"] == 1


def test_a_fault_shows_before_out_of_service():
    pile = Pile()
    pile.command("service", out=[[1, "Damaged"]])
    pile.readings().ground_fault = True
    pile.cycle()
    assert reported(pile) == [("Faulted", "Damaged")]


def test_a_hello_tells_what_the_pile_knows_and_which_board_it_is():
    pile = Pile()
    pile.controller.traits = {"chip": "a0b1c2d3e4f5"}
    hello = pile.controller.hello("0123456789abcdef")
    messages.validate(wire.HELLO, hello)
    assert hello["commands"] == list(wire.LATER_ACTIONS) and hello["chip"] == "a0b1c2d3e4f5"


# -- restart -------------------------------------------------------------------------------------------------


def test_a_restart_is_announced_first_and_takes_no_order_meanwhile():
    pile = Pile()
    assert not pile.controller.restart_due and "restarting" not in pile.controller.status({})
    pile.controller.mailbox.status_due = False
    pile.command("restart")
    assert pile.controller.mailbox.status_due and pile.controller.status({})["restarting"] is True
    pile.order()
    rejected(pile, "OutOfService")
    assert not pile.controller.restart_due
    pile.cycle(20)
    assert pile.controller.restart_due
    pile.boot(AT + 10)
    assert not pile.controller.restart_due
    pile.order()
    rejected(pile, "UsedOrder")


def test_no_restart_while_an_order_runs():
    pile = Pile(connectors=2)
    pile.charge("o2", connector=2)
    pile.command("restart")
    pile.cycle(50)
    assert not pile.controller.restart_due and pile.controller.dropped == 1
    assert pile.connector(2).commanded


def test_a_restart_that_has_expired_or_was_asked_before_this_start_is_dropped():
    """The broker may deliver the command again after the restart that it caused."""
    pile = Pile()
    pile.boot(AT)
    pile.command("restart", issued_at=AT - 60, expires_at=AT)
    pile.command("restart", issued_at=AT - 1, expires_at=AT + 60)
    pile.cycle(50)
    assert not pile.controller.restart_due and pile.controller.dropped == 2
