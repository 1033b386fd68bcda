"""Release archives: every way in which one can be damaged or hostile has its own reason."""

import io
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_stub.base.problems import Problem
from cloud_stub.releases import archive
from pile_protocol import manifest as manifests
from tests.cloud import releases as made

GOOD = made.entries()
A_FILE = next(name for name in GOOD if name.startswith("files/"))


def reason_of(data: bytes) -> str:
    with pytest.raises(Problem) as refused:
        archive.read(data)
    assert (refused.value.code, refused.value.status) == ("BadRelease", 422)
    assert refused.value.detail
    return refused.value.members["reason"]


def test_a_good_archive_is_read():
    release = archive.read(made.archive(12, boards=("sim", "esp32-devkitc")))
    assert (release.number, release.version) == (12, "0.2.0")
    assert [each.board for each in release.boards] == ["esp32-devkitc", "sim"]
    assert release.boards[1].manifest == made.manifest(12, "sim")
    assert release.boards[1].mpy == "6.3"
    assert release.boards[1].total_bytes == sum(map(len, made.FILES.values()))
    assert set(release.files.values()) == set(made.FILES.values())


def with_manifest(**other: object) -> dict[str, bytes]:
    return GOOD | {"sim/manifest.json": made.manifest(**other).encode()}  # type: ignore[arg-type]


OTHER_FILE = "files/" + made.sha256_of(b"other")
DEEP = made.manifest().replace('"files":[', '"files":[' + "[" * 2_000)  # deeper than Python's parser goes


@pytest.mark.parametrize(
    "reason, entries",
    [
        ("FileMissing", {}),
        ("FileMissing", {name: data for name, data in GOOD.items() if name != "sim/manifest.sig"}),
        ("FileMissing", {name: data for name, data in GOOD.items() if name != "sim/manifest.json"}),
        ("FileMissing", {name: data for name, data in GOOD.items() if name != A_FILE}),
        ("FileUnnamed", GOOD | {OTHER_FILE: b"other"}),
        ("WrongHash", GOOD | {A_FILE: b"other"}),
        ("WrongHash", GOOD | {OTHER_FILE: b"not these"}),
        ("WrongSize", with_manifest(files=made.FILES, board="sim") | {
            "sim/manifest.json": made.manifest().replace('11,"', '12,"').encode()
        }),
        ("BadEntry", GOOD | {"../boot.py": b"x"}),
        ("BadEntry", GOOD | {"/etc/passwd": b"x"}),
        ("BadEntry", GOOD | {"files/../../x": b"x"}),
        ("BadEntry", GOOD | {"files/" + "A" * 64: b"x"}),
        ("BadEntry", GOOD | {"sim\\manifest.json": b"x"}),
        ("BadEntry", GOOD | {"sim/": b""}),
        ("BadManifest", GOOD | {"sim/manifest.json": b"{"}),
        ("BadManifest", GOOD | {"sim/manifest.json": b"[]"}),
        ("BadManifest", GOOD | {"sim/manifest.json": "{\"é\":1}".encode()}),
        ("BadManifest", GOOD | {"sim/manifest.json": b" " * (manifests.TEXT_MAX_BYTES + 1)}),
        ("BadManifest", GOOD | {"sim/manifest.json": DEEP.encode()}),
        ("BadManifest", with_manifest(board="esp32-devkitc")),
        ("BadManifest", with_manifest(number=0)),
        ("BadManifest", with_manifest(number=2**31)),
        ("BadManifest", with_manifest(mpy=[6])),
        ("BadManifest", with_manifest(files=made.FILES | {"../boot.py": b"x"})),
        ("BadManifest", with_manifest(files=made.FILES | {"/boot.py": b"x"})),
        ("BadManifest", with_manifest(files=made.FILES | {"manifest.json": b"x"})),
        ("BadManifest", GOOD | {"sim/manifest.sig": b"ab" * 63}),
        ("BadManifest", GOOD | {"sim/manifest.sig": b"AB" * 64}),
        ("BadManifest", GOOD | {"sim/manifest.sig": b"\xff" * 128}),
        ("BadManifest", made.entries(12) | {
            "other/manifest.json": made.manifest(13, "other").encode(),
            "other/manifest.sig": made.SIGNATURE.encode(),
        }),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_whole_is_refused(reason: str, entries: dict[str, bytes]):
    assert reason_of(made.packed(entries)) == reason


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in GOOD.items():
            opened.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr(A_FILE, b"other")
    return buffer.getvalue()


def encrypted() -> bytes:
    data = bytearray(made.packed(GOOD))
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    return bytes(data)


def bomb() -> bytes:
    return made.packed(GOOD | {A_FILE: bytes(archive.ARCHIVE_MAX_BYTES + 1)})


def lying_about_its_size() -> bytes:
    """What unpacks to more than its directory says."""
    data = bytearray(made.packed({"files/" + made.sha256_of(bytes(100_000)): bytes(100_000)}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + place, 10)
    return bytes(data)


def damaged_lzma() -> bytes:
    data = bytearray(made.packed({"sim/manifest.sig": bytes(range(200))}, zipfile.ZIP_LZMA))
    data[60:80] = b"\xff" * 20
    return bytes(data)


def many() -> bytes:
    return made.packed({f"files/{number:064x}": b"" for number in range(archive.ENTRIES_MAX + 1)})


@pytest.mark.parametrize(
    "reason, data",
    [
        ("NotAZip", lambda: b""),
        ("NotAZip", lambda: b"no zip file"),
        ("NotAZip", lambda: made.packed(GOOD)[:-30]),
        ("NotAZip", encrypted),
        ("NotAZip", lying_about_its_size),
        ("NotAZip", damaged_lzma),
        ("BadEntry", twice),
        ("TooLarge", bomb),
        ("TooLarge", many),
        ("TooLarge", lambda: bytes(archive.ARCHIVE_MAX_BYTES + 1)),
    ],
)
def test_a_file_that_is_no_archive_is_refused(reason: str, data: Callable[[], bytes]):
    assert reason_of(data()) == reason


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_with_a_reason_or_change_nothing(data: st.DataObject):
    good = made.packed(GOOD)
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = archive.read(bytes(damaged))
    except Problem as refused:
        assert refused.code == "BadRelease"
    else:
        assert found == archive.read(good)
