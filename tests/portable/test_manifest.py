"""The manifest of a release, read row by row."""

import io
import json

from pile_protocol import manifest
from pile_protocol.errors import MessageError
from tests.portable.update_kit import FILES, manifest_of


def rows(count):
    return [["m%d.mpy" % i, i, "%064x" % i] for i in range(count)]


def text_of(files, **changes):
    head, _, _ = manifest_of(**changes).partition(',"files":')
    return head + ',"files":' + json.dumps(files, separators=(",", ":")) + "}"


def is_refused(text):
    try:
        for _ in manifest.read(io.StringIO(text)):
            pass
    except MessageError:
        return True
    return False


def test_all_of_a_manifest_is_read():
    text = text_of(rows(64))
    head, *read = manifest.read(io.StringIO(text))
    assert head == {"release": 12, "version": "0.2.0", "board": "board", "mpy": [6, 3]}
    assert read == rows(64)
    found = manifest.parse(manifest_of())
    assert sorted(row[0] for row in found.files) == sorted(FILES)
    assert found.total_bytes == sum(len(FILES[name]) for name in FILES)


def test_a_manifest_that_is_cut_off_or_continued_is_refused():
    text = manifest_of()
    for end in range(len(text)):
        assert is_refused(text[:end]), end
    assert is_refused(text + " ") and is_refused(text + text)


def test_what_is_no_manifest_is_refused():
    good = rows(1)[0]
    for bad in ([], rows(65), [good[:2]], [["../boot.py"] + good[1:]], [["m.mpy", -1, good[2]]], [{}], {}):
        assert is_refused(text_of(bad)), bad
    assert is_refused(text_of([[row[0], 200_000, row[2]] for row in rows(3)]))
    assert is_refused(manifest_of(release=0)) and is_refused(manifest_of(mpy=[6]))
    assert is_refused(json.dumps(json.loads(manifest_of())))  # with blanks
    head, _, files = manifest_of().partition(',"files":')
    later = head.replace('"release":12,', "") + ',"release":12'  # a pile reads the first member of a slot's
    assert is_refused(later + ',"files":' + files)
    for replaced in ("],,[", "][", "], ["):
        assert is_refused(manifest_of().replace("],[", replaced, 1)), replaced


def test_one_file_twice_is_refused_before_it_is_signed():
    try:
        manifest.parse(text_of(rows(1) * 2))
    except MessageError:
        return
    raise AssertionError("it was taken")
