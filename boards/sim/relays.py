"""A PC has no relay pins: the simulated plants have the contactors, and begin with their coils off."""

RELAYS = tuple([])
RELAY_CLOSED_LEVEL = 1


def outputs_safe():
    """There is no pin to hold."""
