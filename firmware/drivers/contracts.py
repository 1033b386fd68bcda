"""What a driver must offer. Nothing imports these classes: they are the contract that each folder keeps,
and what the tests hold every driver against.
"""


class Relay:
    """One contactor. Constructing it opens it."""

    def set(self, closed):
        """Commands the contact; the same command again is harmless."""

    def is_closed(self):
        """What the feedback contact says; None where none is wired."""


class Meter:
    """One energy meter: a register of delivered energy (OCPP Energy.Active.Import.Register)."""

    def register_mwh(self):
        """Cumulative energy in mWh, never lower than before; None while none is valid. Does not block."""

    def power_mw(self):
        """Momentary power in mW, 0 or more."""

    def current_ma(self):
        """Momentary current in mA; None where the meter does not measure it."""

    def restore(self, register_mwh):
        """Called once, at boot, with the last durable reading. A meter that counts from 0 after a power cut
        goes on from there; one with a memory of its own ignores it.
        """


class Inputs:
    """What else one connector can sense; each is debounced."""

    def plugged(self):
        """Whether a vehicle is plugged in; None where the board cannot tell."""

    def estop(self):
        """Whether the emergency stop is pressed, or its wire broken."""

    def ground_fault(self):
        """Whether the residual current device has tripped."""

    def temperature_c(self):
        """Whole degrees Celsius; None where there is no sensor."""


class Store:
    """A few small files, each of which is replaced as a whole. Every method that writes returns when the
    write is durable, and raises OSError where the flash refuses it.
    """

    def read(self, name):
        """The bytes of a file, or None where there is none. Raises OSError where it cannot be read."""

    def write(self, name, data):
        """Replaces a file: after a power cut it is old or new."""

    def append(self, name, data):
        """Adds to a file, creating it; after a power cut `data` is there or not (or, torn, in part)."""

    def lines(self, name):
        """The lines of a file, each with its line end, one at a time."""

    def remove(self, name):
        """Removes a file; one that is not there is no error."""

    def names(self):
        """The names of all files."""

    def free_bytes(self):
        """Room left."""


class Watchdog:
    def feed(self):
        """Called by a healthy control loop, about ten times a second."""

    def hand_over(self):
        """The relays are open and a person has the console: keeps itself fed from now on."""


class Indicator:
    """The light that tells people how the pile is."""

    def show(self, pattern):
        """From now on one of patterns.py; the same one again is harmless."""

    def step(self):
        """Called about ten times a second."""

    def keep(self):
        """The program ends: shows its pattern by itself from now on."""
