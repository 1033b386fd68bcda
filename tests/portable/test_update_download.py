"""An offered release: checked, fetched part by part, switched to; and whatever may come instead of it."""

import os

from pile.admission import FREE_BYTES_MIN
from pile_protocol import messages, topics
from pile_protocol.manifest import FILES_MAX
from pile_protocol.updates import OFFERED_MANIFEST_MAX_BYTES
from tests.portable.kit import AT, OTHER_KEY, order, sealed
from tests.portable.update_kit import (
    BOUNDS,
    FILES,
    RELEASE,
    SECRET,
    Ticks,
    configure,
    digest,
    in_flash,
    manifest_of,
    offer_of,
    read,
    sign,
    write,
)
from update import checks, host, install, slots, updater
from update.download import PART_BYTES
from update.install import SPARE_BYTES


def state():
    return slots.read()


@in_flash
def test_a_release_is_fetched_and_goes_on_trial(rig):
    rig.offer()
    rig.until_restart()
    assert state() == ["a", 11, RELEASE, 0, None]
    for name in FILES:
        assert read("b/" + name) == FILES[name], name
    assert read("b/manifest.json") == manifest_of().encode()
    assert read("b/manifest.sig") == sign(manifest_of()).encode()
    assert read(slots.OFFER) is None
    assert rig.states() == [("Verifying", None), ("Downloading", None), ("Verifying", None)]
    most = max([question["bytes"] for question in rig.questions])
    fetched = [manifest_of()] + list(FILES.values())
    parts = sum([-(-len(data) // PART_BYTES) for data in fetched])
    assert most == PART_BYTES and len(rig.questions) == parts
    assert rig.told[-1] == {"release": RELEASE, "state": "Verifying"}


@in_flash
def test_a_manifest_with_the_most_files_is_read_row_by_row(rig):
    """All rows in one slice would hold up the control cycle of a chip for half a second."""
    rig.files = {"module%02d.mpy" % i: b"" for i in range(FILES_MAX)}
    text = manifest_of(files=rig.files)
    assert len(text) > OFFERED_MANIFEST_MAX_BYTES
    write(slots.FETCHED, text.encode())
    assert list(checks.read_manifest(RELEASE, "board", (6, 3))) == [True] * FILES_MAX
    rig.offer(text)
    rig.until_restart()
    assert read("b/manifest.json") == text.encode()


@in_flash
def test_nothing_is_asked_before_the_signature_is_verified(rig):
    rig.offer(signature=sign(manifest_of(), SECRET + 1))
    rig.cycles(300)
    assert rig.states()[-1] == ("Refused", "BadSignature")
    assert not rig.questions and read("b/manifest.sig") is None and read(slots.OFFER) is None


@in_flash
def test_a_manifest_other_than_the_signed_one_is_not_used(rig):
    right = manifest_of()
    other = right.replace("0.2.0", "0.3.0")
    rig.offer(manifest_sha256=digest(other.encode()), signature=sign(right))
    rig.cycles(300)
    assert rig.states()[-1] == ("Refused", "BadSignature") and not rig.questions
    rig.answers = lambda question: [rig.chunk(question, data="AAAA" * (question["bytes"] // 3) or "AA==")]
    rig.offer()
    rig.cycles(300)
    assert rig.states()[-1] == ("Refused", "BadFile") and read(slots.FETCHED) is None


@in_flash
def test_an_offer_of_an_older_cloud_has_its_manifest_in_it(rig):
    rig.offer(manifest=manifest_of(), manifest_sha256=None, manifest_bytes=None)
    rig.until_restart()
    assert state() == ["a", 11, RELEASE, 0, None]
    assert read("b/manifest.json") == manifest_of().encode()
    asked = [question["file"] for question in rig.questions]
    assert digest(manifest_of().encode()) not in asked


@in_flash
def test_what_must_not_run_here_is_refused(rig):
    for reason, text, changes in (
        ("Expired", None, {"expires_at": AT}),
        ("AlreadyRuns", manifest_of(release=11), {"release": 11}),
        ("BelowConfirmed", manifest_of(release=10), {"release": 10}),
        ("WrongBoard", manifest_of(board="other"), {}),
        ("WrongMpy", manifest_of(mpy=[5, 3]), {}),
        ("WrongMpy", manifest_of(mpy=[6, 2]), {}),
        ("BadManifest", manifest_of(release=13), {}),
        ("BadManifest", "{}", {}),
        ("BadManifest", manifest_of(files={"../main.py": b"x"}), {}),
        ("BadManifest", "no JSON", {}),
        ("BadManifest", None, {"manifest_sha256": None}),
        ("BadManifest", None, {"signature": None}),
    ):
        rig.told.clear()
        rig.questions.clear()
        rig.offer(text, **changes)
        rig.cycles(300)
        assert rig.states()[-1] == ("Refused", reason), (reason, rig.states())
        assert state() == ["a", 11, 0, 0, None] and read("b/manifest.sig") is None
        assert not [each for each in rig.questions if each["file"] != digest(text.encode())]
        assert read(slots.OFFER) is None


@in_flash
def test_a_release_needs_room_that_leaves_an_order_its_own(rig):
    room_bytes = install.room_bytes
    need_bytes = 2 * 4_096 + SPARE_BYTES + FREE_BYTES_MIN
    for room, refused in ((need_bytes - 1, True), (need_bytes, False)):
        install.room_bytes = lambda slot, room=room: room
        try:
            rig.told.clear()
            rig.offer()
            rig.cycles(300)
        finally:
            install.room_bytes = room_bytes
        assert (rig.states()[-1] == ("Refused", "FlashFull")) == refused, rig.states()


@in_flash
def test_a_release_that_fell_back_is_taken_only_from_a_person(rig):
    slots.write(["a", 11, 0, 0, [RELEASE, "Crashed"]])
    rig.offer()
    rig.cycles(3)
    assert rig.states() == [("Refused", "FellBackBefore")]
    rig.offer(again=True)
    rig.until_restart()


@in_flash
def test_a_pile_without_slots_says_so(rig):
    rig.flash.run("elsewhere")
    rig.offer()
    rig.cycles(3)
    assert rig.states() == [("Refused", "NoSlots")]


@in_flash
def test_an_offer_that_is_not_sealed_by_the_cloud_is_dropped(rig):
    rig.pile.receive_bytes(topics.UPDATE, offer_of(key=OTHER_KEY))
    rig.pile.receive_bytes(topics.UPDATE, b"{}")
    rig.cycles(5)
    assert not rig.told and rig.pile.controller.dropped == 2 and read(slots.OFFER) is None


@in_flash
def test_parts_that_come_twice_late_damaged_or_from_elsewhere_change_nothing(rig):
    def answers(question):
        right = rig.chunk(question)
        other = "0" * 64
        wrong = [
            rig.chunk(question, release=RELEASE + 1),
            rig.chunk(question, file=other),
            rig.chunk(question, offset=question["offset"] + 1),
            rig.chunk(question, data="===="),
            rig.chunk(question, data="AAAA" * 257),  # longer than what was asked for
        ]
        answers = wrong + earlier[-1:] + [right, right, rig.chunk(question, data="AAAA")]
        earlier.append(right)
        return answers

    earlier = []
    rig.answers = answers
    rig.offer()
    rig.until_restart()
    for name in FILES:
        assert read("b/" + name) == FILES[name], name


@in_flash
def test_a_file_that_came_wrong_is_fetched_again_and_refused_the_third_time(rig):
    bad = []
    most = [0]

    def answers(question):
        is_manifest = question["file"] == digest(rig.manifest.encode())
        if question["offset"] == 0 and not is_manifest and len(bad) < most[0]:
            bad.append(question)
            return [rig.chunk(question, data="AAAA" * (question["bytes"] // 3))]
        return [rig.chunk(question)]

    rig.answers = answers
    for most[0], end in ((2, None), (30, ("Refused", "BadFile"))):
        bad.clear()
        rig.offer()
        rig.cycles(2_000)
        if end is None:
            assert rig.restart and read("b/start.mpy") == FILES["start.mpy"]
            slots.write(["a", 11, 0, 0, None])
            rig.boot()
            os.remove("b/manifest.sig")
        else:
            assert rig.states()[-1] == end and not rig.restart
            assert read("b/manifest.json") is None


@in_flash
def test_a_lost_question_or_answer_is_asked_again_after_a_pause_that_doubles(rig):
    lost = []

    def answers(question):
        if len(lost) < 4:
            lost.append(rig.pile.clock.now_ms)
            return []
        return [rig.chunk(question)]

    rig.answers = answers
    rig.offer()
    rig.until_restart()
    waits = [lost[i + 1] - lost[i] for i in range(3)]
    assert waits == [2_000, 4_000, 8_000], waits
    assert ("Waiting", "Unanswered") in rig.states()


@in_flash
def test_the_rate_is_bounded(rig):
    asked = []
    rig.answers = lambda question: asked.append(rig.pile.clock.now_ms) or [rig.chunk(question)]
    rig.files = {"start.mpy": bytes(range(256)) * 60}
    rig.offer(manifest_of(rig.files))
    rig.until_restart()
    assert len(asked) > 15_000 // PART_BYTES
    assert min([asked[i + 1] - asked[i] for i in range(len(asked) - 1)]) >= 100


@in_flash
def test_a_restart_keeps_what_is_whole(rig):
    rig.answers = lambda question: [rig.chunk(question)] if len(rig.questions) <= 2 else []
    rig.offer()
    rig.cycles(100)
    first = list(rig.questions)
    rig.boot()
    rig.answers = rig.chunks
    rig.questions.clear()
    rig.until_restart()
    asked = [(question["file"], question["offset"]) for question in rig.questions]
    assert not [each for each in asked if each in [(q["file"], q["offset"]) for q in first[:2]]]
    assert read("b/drivers/esp32/board.mpy") == FILES["drivers/esp32/board.mpy"]


@in_flash
def test_another_release_replaces_the_one_that_is_fetched(rig):
    rig.answers = lambda question: []
    rig.offer()
    rig.cycles(50)
    rig.answers = rig.chunks
    rig.files = {"start.mpy": b"another"}
    rig.offer(manifest_of(rig.files, release=13), release=13)
    rig.until_restart()
    assert state() == ["a", 11, 13, 0, None]
    assert sorted(os.listdir("b")) == ["manifest.json", "manifest.sig", "start.mpy"]


@in_flash
def test_an_offer_with_the_right_size_of_the_manifest_replaces_one_with_a_wrong_size(rig):
    rig.answers = lambda question: rig.chunks(question) if question["offset"] != len(rig.manifest) else []
    rig.offer(manifest_bytes=len(rig.manifest) + 1)
    rig.cycles(1_000)
    assert rig.states()[-1] == ("Waiting", "Unanswered")
    rig.offer()
    rig.until_restart()


@in_flash
def test_an_offer_that_is_refused_does_not_end_the_download_under_way(rig):
    rig.answers = lambda question: []
    rig.offer()
    rig.cycles(20)
    for release, expires_at, reason in ((10, AT + 60, "BelowConfirmed"), (13, AT, "Expired")):
        rig.offer(release=release, expires_at=expires_at)
        assert {"release": release, "state": "Refused", "reason": reason} in rig.told
    rig.answers = rig.chunks
    rig.until_restart()
    assert state() == ["a", 11, RELEASE, 0, None]


@in_flash
def test_a_message_that_cannot_be_used_leaves_no_module_in_the_heap_of_a_download(rig):
    forgotten = []
    rig.host = host.Host(rig.pile.controller, ("board", (6, 3), BOUNDS), forgotten.extend, Ticks)
    rig.answers = lambda question: []
    rig.offer()
    rig.cycles(20)
    forgotten.clear()
    rig.offer(release=0)
    assert "pile_protocol.updates" in forgotten and rig.questions


@in_flash
def test_an_offer_that_waits_outlives_messages_that_are_refused(rig):
    rig.pile.order("o1")
    rig.cycles(20)
    rig.offer()
    rig.cycles(5)
    rig.offer(release=10)
    rig.cycles(5)
    configure(rig, {"ntp": "a"})
    rig.pile.stop("o1")
    rig.acknowledge()
    rig.until_restart()
    assert state() == ["a", 11, RELEASE, 0, None]


@in_flash
def test_an_error_of_the_updates_own_code_ends_the_update_and_not_the_pile(rig):
    """Such as a module whose file is damaged: the offer in flash would end every start."""

    def damaged(*_):
        raise ValueError("incompatible .mpy file")

    begin = updater.Updater.begin
    step = updater.Updater.step
    rig.offer()
    rig.boot(AT)
    try:
        updater.Updater.begin = damaged
        rig.cycles(5)
        assert read(slots.OFFER) is None and not rig.restart
        rig.offer()
        rig.cycles(5)
        updater.Updater.begin = begin
        updater.Updater.step = damaged
        rig.offer()
        rig.cycles(5)
    finally:
        updater.Updater.begin = begin
        updater.Updater.step = step
    assert rig.states()[-1] == ("Refused", "Crashed") and read(slots.OFFER) is None
    rig.offer()
    rig.until_restart()


@in_flash
def test_a_heap_without_room_keeps_the_offer(rig):
    step = updater.Updater.step

    def full(self):
        raise MemoryError

    updater.Updater.step = full
    try:
        rig.offer()
        rig.cycles(5)
    finally:
        updater.Updater.step = step
    assert rig.states()[-1] == ("Waiting", "NoMemory")
    rig.boot(AT)
    rig.until_restart()


@in_flash
def test_a_pile_whose_heap_has_no_room_restarts_when_no_order_runs(rig):
    def full(*_):
        raise MemoryError

    fresh_ms = host.FRESH_MS
    take = updater.Updater.take
    step = updater.Updater.step
    try:
        updater.Updater.step = full
        rig.offer()
        rig.cycles(20)
        assert not rig.restart, "a heap that is too small would restart for ever"
        host.FRESH_MS = 1_000
        rig.pile.order("o1")
        updater.Updater.take = full
        rig.offer()
        rig.cycles(20)
        assert rig.pile.relays[1] and not rig.restart
        rig.pile.stop("o1")
        rig.cycles(5)
        rig.acknowledge()
        rig.until_restart(20)
    finally:
        updater.Updater.step = step
        updater.Updater.take = take
        host.FRESH_MS = fresh_ms
    assert rig.restart == "no memory for an update" and read(slots.OFFER)
    rig.boot()
    rig.until_restart()
    assert state() == ["a", 11, RELEASE, 0, None]


@in_flash
def test_a_cancelled_download_ends_and_the_slot_is_not_whole(rig):
    rig.answers = lambda question: []
    rig.offer()
    rig.cycles(50)
    rig.cancel(13)
    rig.cancel(expires_at=AT)  # one from before, sent once more
    rig.cycles(2)
    assert rig.states()[-1][0] != "Cancelled"
    rig.cancel()
    rig.cycles(2)
    assert rig.states()[-1] == ("Cancelled", None)
    assert read(slots.OFFER) is None and read("b/manifest.json") is None
    rig.boot()
    rig.cycles(50)
    assert not rig.restart


@in_flash
def test_an_order_is_taken_during_a_download_which_pauses(rig):
    rig.answers = lambda question: [rig.chunk(question)] if len(rig.questions) < 3 else []
    rig.offer()
    rig.cycles(60)
    count = len(rig.questions)
    rig.pile.order("o1")
    rig.cycles(50)
    assert rig.pile.relays[1] and rig.states()[-1] == ("Waiting", "OrderRuns")
    assert len(rig.questions) == count, "it asked while an order ran"
    rig.answers = rig.chunks
    rig.pile.stop("o1")
    rig.cycles(50)
    assert not rig.restart and len(rig.questions) == count, "it asked while a settlement waited"
    rig.acknowledge()
    rig.until_restart()


@in_flash
def test_an_offer_waits_for_an_order_and_its_settlement(rig):
    rig.pile.order("o1")
    rig.cycles(20)
    rig.offer()
    rig.cycles(20)
    assert rig.states() == [("Waiting", "OrderRuns")] and read(slots.OFFER)
    rig.pile.stop("o1")
    rig.cycles(20)
    assert not rig.questions
    rig.acknowledge()
    rig.until_restart()


@in_flash
def test_an_order_that_comes_with_the_last_part_is_taken_first(rig):
    def answers(question):
        if len(rig.questions) < 6:
            return [rig.chunk(question)]
        receive = rig.pile.controller.receive
        receive(topics.UPDATE_CHUNK, messages.encode(rig.chunk(question)).encode())
        receive(topics.ORDER, sealed(order("o1")))
        return []

    rig.answers = answers
    rig.offer()
    rig.cycles(200)
    assert not rig.restart and rig.pile.relays[1] and state() == ["a", 11, 0, 0, None]


@in_flash
def test_a_flash_that_refuses_ends_the_download(rig):
    write("b", b"a file in the way of the slot")
    rig.offer()
    rig.cycles(200)
    assert rig.states()[-1] == ("Refused", "StorageFailure")
    assert read(slots.OFFER) is None


@in_flash
def test_an_offer_that_the_flash_refuses_ends_the_download_under_way(rig):
    rig.answers = lambda question: []
    rig.offer()
    rig.cycles(50)
    os.mkdir(slots.OFFER + ".new")  # in the way of the file
    rig.offer(manifest_of(release=13), release=13)
    asked = len(rig.questions)
    rig.cycles(200)
    assert rig.told[-1] == {"release": 13, "state": "Refused", "reason": "StorageFailure"}
    assert len(rig.questions) == asked and read(slots.OFFER) is None and read(slots.FETCHED) is None
