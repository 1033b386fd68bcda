"""From one release to the next, cut at every flash operation: the other slot is written, the state file
switches, the launcher counts the starts of the trial, the trial ends. Prints one JSON object.

    micropython switches.py switch END AGE TEAR SEED     END: how the trial ends, a key of ENDS
"""

import gc
import hashlib
import json
import os
import sys

import vfs
from flash import CLEAN, Device, PowerCut
from story import used_flash
from world import MOUNT

import launcher
from update import install, slots

OLDER, OLD, NEW = 11, 12, 13
FILES = {"assembly.mpy": 90, "pile/recovery.mpy": 2_600, "ratelock.mpy": 5_000}  # bytes
LIVES_MAX = 12


def content(release, name):
    return (b"%d %s " % (release, name.encode()) * 1_500)[: FILES[name]]


def manifest(release):
    files = [[name, size, hash_of(content(release, name))] for name, size in FILES.items()]
    return json.dumps({"release": release, "files": files})


def hash_of(data):
    return hashlib.sha256(data).digest().hex()


def write_slot(slot, release):
    """As a download does: emptied, written file by file, read back, made whole by one rename."""
    install.empty(slot)
    os.mkdir(slot + "/pile")
    for name in FILES:
        with open(slot + "/" + name, "wb") as file:
            file.write(content(release, name))
    assert is_complete(slot, release)
    slots.replace(slots.FETCHED, manifest(release).encode())
    install.finish(slot)


def is_complete(slot, release):
    try:
        for name in FILES:
            with open(slot + "/" + name, "rb") as file:
                if file.read() != content(release, name):
                    return False
        return True
    except OSError:
        return False


class Story:
    """end: how the trial ends. cut_at: the flash operation that the power cut hits; 0: none."""

    def __init__(self, flash, end, cut_at=0, tear=CLEAN, seed=0):
        self.flash = flash.copy()
        self.end = end
        self.cut_at, self.tear, self.seed = cut_at, tear, seed
        self.cuts = self.remounts = self.starts = self.operations = 0
        self.power_up()
        self.switched = self.over = False  # what has been durable for certain
        self.violations = []

    def tell(self):
        for _ in range(LIVES_MAX):
            vfs.mount(vfs.VfsLfs2(self.device), MOUNT)
            os.chdir(MOUNT)
            try:
                if self.live():
                    return self
            except PowerCut:
                self.cuts += 1
            finally:
                gc.collect()  # a file that the cut kept from closing is closed now, and not in a later life
                self.operations += self.device.operations
                os.chdir("/")
                vfs.umount(MOUNT)
                self.remounts += 1
                self.power_up()
        self.wrong("it never ends")
        return self

    def power_up(self):
        """The cut comes in whichever life has that operation."""
        left = 0 if self.cuts else max(self.cut_at - self.operations, 0)
        self.device = Device(self.flash, left, self.tear, self.seed)

    def wrong(self, text):
        self.violations.append("%s (state %s)" % (text, slots.read()))

    def live(self):
        """From reset to reset; whether the story is over."""
        place = sys.path[:]
        try:
            state = launcher.choose()
            if state is None:
                self.wrong("no slot is whole")
                return True
            for slot, release in launcher.whole_slots().items():
                if not is_complete(slot, release):
                    self.wrong("slot %s has a manifest, and is not complete" % slot)
            return self.run_old() if sys.path[0] == "a" else self.run_new(state)
        finally:
            sys.path[:] = place

    def run_old(self):
        state = slots.load()
        if state.fell_back:
            if self.end == "confirm" and state.fell_back != (NEW, "NotConfirmed"):
                self.wrong("went back without a reason")
            return True
        if self.over or self.switched:
            self.wrong("the old release is started after the switch was durable")
        write_slot("b", NEW)
        state.begin_trial(NEW)
        self.switched = True
        return False

    def run_new(self, state):
        self.starts += 1
        found = slots.load()
        if found.on_trial and slots.read()[3] < self.starts:
            self.wrong("start %d of the trial is not counted" % self.starts)
        if not found.on_trial:
            if self.end != "confirm":
                self.wrong("a trial that was not confirmed goes on")
            return found.confirmed == NEW and found.fell_back is None
        if self.over:
            self.wrong("the trial begins anew after its end was durable")
        if self.starts > launcher.STARTS:
            self.wrong("started %d times" % self.starts)
        ENDS[self.end](found, state)
        self.over = self.end != "crash"
        return False


def confirm(found, state):
    found.confirm()


def fall_back(found, state):
    found.fall_back("NoCloud")


def crash(found, state):
    launcher.failed(ImportError(), *state)


ENDS = {"confirm": confirm, "fall": fall_back, "crash": crash}


def main(_, end, age, tear, seed):
    flash = used_flash(int(age))
    vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
    os.chdir(MOUNT)
    write_slot("a", OLD)
    write_slot("b", OLDER)
    slots.write(["a", OLD, 0, 0, None])
    os.chdir("/")
    vfs.umount(MOUNT)
    launcher.print = lambda *_: None  # its line for the console
    figures = {"stories": 0, "cuts": 0, "remounts": 0, "lost_mwh": 0, "lost_ms": 0, "unbilled_mwh": 0}
    figures["violations"] = []
    operations = Story(flash, end).tell().operations
    for k in range(operations + 1):  # 0: no cut
        story = Story(flash, end, k, tear, int(seed)).tell()
        figures["stories"] += 1
        figures["cuts"] += story.cuts
        figures["remounts"] += story.remounts - 1
        figures["violations"] += ["cut %s at operation %d: %s" % (tear, k, text) for text in story.violations]
    print(json.dumps(figures))


main(*sys.argv[1:])
