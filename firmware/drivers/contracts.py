"""What a driver and a board must offer. Nothing imports these classes: they are the contract that each folder
keeps, and what the tests hold every driver against.

Three answers are kept apart everywhere:

    absent    the board does not wire it: there is no driver object (None in Equipment), or the driver's
              attribute says so (Relay.has_feedback, Meter.measures_current)
    invalid   wired, but it cannot be read at this moment: the method returns None
    valid     a value

A method may raise OSError where the hardware refuses (a bus, an ADC, a pin); nothing else. The shell takes it
for an invalid reading of that connector. Times are time.ticks_ms().
"""


class Relay:
    """One contactor. Constructing it opens it. has_feedback: an auxiliary contact is wired."""

    has_feedback = False

    def set(self, closed):
        """Commands the contact; the same command again is harmless."""

    def is_closed(self):
        """What the feedback contact says; None while it cannot tell (a command to close still waits)."""


class Meter:
    """One energy meter: a register of delivered energy (OCPP Energy.Active.Import.Register).

    The newest sample is `register_mwh`, taken at `sampled_ms`. It includes all energy that was delivered up
    to sampled_ms - refresh_ms, rounded down to step_mwh(), and none that was delivered after sampled_ms.

    refresh_ms    how long the meter may show an old register after energy has flowed; 0 for pulses
    interval_ms   while the meter answers, two samples are at most this far apart (a bus with other meters)
    settle_ms     in this time after a disturbance (noise, lost answers) a working meter is valid again
    remembers     its register survives a power cut
    measures_current   current_ma() can give a value
    current_interval_ms   while the meter answers, two samples of current are at most this far apart
    """

    refresh_ms = 0
    interval_ms = 100
    settle_ms = 0
    remembers = False
    measures_current = False
    current_interval_ms = 0
    register_mwh = 0
    sampled_ms = 0
    current_sampled_ms = 0

    def poll(self):
        """Once per cycle; does not block. Returns whether the newest sample is valid: true, and no older than
        interval_ms + settle_ms. The register never runs backwards while valid.
        """

    def step_mwh(self):
        """The smallest amount in which the register moves at its present value, mWh, 1 or more."""

    def power_mw(self):
        """Power in mW, 0 or more, of about the last refresh_ms + interval_ms; None while unknown."""

    def current_ma(self):
        """The highest phase current in mA at current_sampled_ms; None while unknown."""

    def restore(self, register_mwh):
        """Called once, at boot, with the last durable register in mWh. A meter that forgets goes on from
        there; one that remembers takes from it at most how often its own register has begun again at 0.
        """


class Contact:
    """A switch, debounced: vehicle plug, emergency stop, stop button, residual current device."""

    def read(self):
        """Whether it is active (plugged, pressed, tripped); None while it cannot be read. Once per cycle."""


class Thermometer:
    """A temperature sensor at the terminals or in the enclosure."""

    def read(self):
        """Whole degrees Celsius; None for a broken wire, a short, or a chip that cannot measure."""


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
        """A generator of the lines of a file, each with its line end. close() closes the file."""

    def remove(self, name):
        """Removes a file; one that is not there is no error."""

    def names(self):
        """The names of all files."""

    def free_bytes(self):
        """Room left."""


class Watchdog:
    """Resets the chip, and so opens every relay, where the control loop stops."""

    def feed(self):
        """Called by a healthy control loop, about ten times a second."""

    def hand_over(self):
        """The relays are open and a person may have the console: keeps itself fed for a bounded time, then
        stops, so that the chip restarts and charges again.
        """


class Indicator:
    """The light that tells people how the pile is."""

    def show(self, pattern):
        """From now on one of patterns.py; the same one again is harmless."""

    def step(self):
        """Called about ten times a second."""

    def keep(self):
        """The program ends: shows its pattern by itself from now on."""


class Board:
    """The module `board` that boot.py imports. A board of an ESP32 has the first five names of its own and
    takes the others from drivers/esp32/board.py.

    NAME              the board's name
    outputs_safe()    opens every relay; called before board.py imports any driver
    equipment()       one Equipment per connector, from connector 1 on
    FEED              the supply that all connectors share: {"limit_ma": what it may carry for long}; None
                      where each connector has its own
    indicator()       an Indicator
    store()           a Store; raises OSError where there is no usable flash
    watchdog()        a Watchdog, running from here on
    set_utc(at)       sets the chip's calendar, Unix seconds, as sealed by the cloud
    set_calendar(at)  sets it from a time that nobody has sealed (NTP), for the judging of certificates only;
                      does nothing where set_utc() has set it since power-on
    utc()             Unix seconds where the calendar has run on since set_utc(), else None
    chip()            what tells this board from all others: 1 to 32 letters and digits
    reset_cause()     a word: PowerOn, Hard, Watchdog, DeepSleep, Soft, Unknown
    restart()         resets the chip; does not return
    memory()          (heap free, chip RAM free, its lowest since boot) in bytes; None for what a chip cannot
                      tell
    log(text)         one line for whoever watches the serial console
    GC_STEP_BYTES     how much may be allocated between two collections
    REST_MS           the control cycle's period while no order runs, ms
    TRIAL_MS          (control cycles on time before a new release is confirmed, how long it may take); None
                      for those of update/trial.py
    """
