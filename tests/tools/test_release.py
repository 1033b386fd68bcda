"""make release and make release-key: equal bytes from one commit, a growing number, what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pile_protocol import manifest, updates
from tools import ROOT
from tools.image import files, release, slot
from update import p256


def git(folder: Path, *arguments: str) -> str:
    names = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "commit.gpgsign=false", *arguments],
        env={**os.environ, **names}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one commit of the firmware."""
    root = tmp_path / "a tree"
    (root / "firmware").mkdir(parents=True)
    (root / "firmware" / "app.py").write_text("one")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


def commit(root: Path, name: str, text: str) -> int:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-qm", text)
    return release.number(root)


@pytest.fixture(scope="session")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def contents() -> dict[Path, dict[str, bytes]]:
    return release.build(release.all_boards())


@pytest.mark.long
def test_two_builds_in_different_folders_are_equal(key, tmp_path) -> None:
    """The sources are copied elsewhere, and built by an interpreter of their own."""
    copy = tmp_path / "another folder"
    for name in (*release.SOURCES, "tools/__init__.py"):
        place = copy / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, place)
    secret = tmp_path / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    code = (
        "import sys; from pathlib import Path; from tools.image import release\n"
        "key = release.read_key(Path(sys.argv[1]))\n"
        "built = release.build(release.all_boards()[1:2])\n"
        "data = release.pack(built, 7, lambda text: release.sign(key, text))\n"
        "sys.stdout.buffer.write(data)"
    )
    python = str(ROOT / ".venv" / "bin" / "python")
    env = {**os.environ, "PYTHONPATH": f"{copy}:{copy / 'firmware'}", "PYTHONHASHSEED": "1"}
    there = subprocess.run(
        [python, "-c", code, str(secret)], cwd=copy, env=env, capture_output=True, check=True, timeout=110
    )
    here = release.pack(release.build(release.all_boards()[1:2]), 7, lambda text: release.sign(key, text))
    assert there.stdout == here


def test_a_release_has_a_signed_manifest_for_each_board_and_every_file_once(contents, key) -> None:
    with zipfile.ZipFile(
        io.BytesIO(release.pack(contents, 7, lambda text: release.sign(key, text)))
    ) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    named = set()
    for board in release.all_boards():
        text = entries.pop(f"{board.name}/manifest.json").decode()
        found = manifest.parse(text)
        assert (found.release, found.board, found.version) == (7, board.name, files.version())
        for name, size, digest in found.files:
            data = entries[f"files/{digest}"]
            assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest), name
            named.add(f"files/{digest}")
        verification = p256.Verification(
            p256.public_key(release.public_text(key)),
            hashlib.sha256(text.encode()).digest(),
            entries.pop(f"{board.name}/manifest.sig").decode(),
        )
        while (result := verification.step()) is None:
            pass
        assert result
    assert set(entries) == named


def test_two_slots_500_settlements_and_a_tenth_fit_into_the_flash_of_a_4_mb_chip(contents) -> None:
    """littlefs gives a file of more than 128 bytes at least a block of 4 KB, and a folder two."""
    block, flash = 4096, 0x200000  # MicroPython's partition for files on a chip with 4 MB

    def blocks(sizes: list[int]) -> int:
        return sum(-(-size // block) for size in sizes)

    for board, content in contents.items():
        folders = {name.rpartition("/")[0] for name in content}
        one_slot = blocks([len(data) for data in content.values()]) + 2 * len(folders) + 2
        root = (
            blocks([len(data) for data in files.build_root(board).values()]) + 20
        )  # config, CA, state, root
        journal = 500 * 1_100 // block + 40  # a settlement has up to 1,100 bytes; open orders, checkpoints
        used = (2 * one_slot + root + journal) * block
        assert used < flash * 9 // 10, (board.name, used)
        assert blocks([manifest.FILES_MAX_BYTES]) * 2 * block < flash * 9 // 10 - (root + journal) * block


def test_the_number_grows_with_each_commit_that_changes_the_firmware_and_with_no_other(tree) -> None:
    numbers = [release.number(tree)]
    numbers.append(commit(tree, "firmware/app.py", "two"))
    numbers.append(commit(tree, "docs/page.md", "a page"))
    numbers.append(commit(tree, "boards/my pile.py", "a board"))
    assert numbers == [1, 2, 2, 3]
    git(tree, "checkout", "-qb", "side", "HEAD~1")
    commit(tree, "firmware/lamp.py", "side")
    git(tree, "checkout", "-q", "-")
    git(
        tree, "merge", "-q", "-s", "ours", "side"
    )  # whose result is one parent's, and whose number is not less
    assert release.number(tree) > numbers[-1]


def test_a_tree_that_is_not_clean_makes_no_release(tree) -> None:
    (tree / "notes.txt").write_text("not committed")
    with pytest.raises(release.ReleaseError, match=r"not clean \(\?\? notes.txt\)"):
        release.number(tree)
    assert release.of_tree(tree) == slot.UNRELEASED


def test_a_shallow_clone_or_no_repository_makes_no_release(tree, tmp_path) -> None:
    commit(tree, "firmware/app.py", "two")
    git(tmp_path, "clone", "-q", "--depth", "1", tree.as_uri(), "shallow")
    with pytest.raises(release.ReleaseError, match="unshallow"):
        release.number(tmp_path / "shallow")
    with pytest.raises(release.ReleaseError, match="git cannot read"):
        release.number(tmp_path)
    assert release.of_tree(tmp_path) == release.of_tree(tmp_path / "shallow") == slot.UNRELEASED


def test_a_pair_of_keys_is_made_once_and_read_with_its_passphrase(tmp_path, monkeypatch) -> None:
    private, public = tmp_path / "release-key.pem", tmp_path / "release.pub"
    release.make_key(private, public, "a passphrase")
    assert private.stat().st_mode & 0o077 == 0
    monkeypatch.delenv(release.PASSPHRASE_VARIABLE, raising=False)
    key = release.read_key(private, lambda _: "a passphrase")
    assert release.public_text(key) == public.read_text()
    p256.public_key(public.read_text())
    with pytest.raises(release.ReleaseError, match="passphrase"):
        release.read_key(private, lambda _: "another")
    for place in ((private, tmp_path / "x.pub"), (tmp_path / "x.pem", public)):
        with pytest.raises(release.ReleaseError, match="exists"):
            release.make_key(*place, "")
    assert not (tmp_path / "x.pem").exists()


@pytest.mark.parametrize("what", ["nothing", "noise", "another curve"])
def test_a_file_that_is_no_release_key_is_refused(tmp_path, what: str) -> None:
    path = tmp_path / "key.pem"
    if what == "noise":
        path.write_text("-----BEGIN " + "PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n")
    elif what == "another curve":
        path.write_bytes(
            ec.generate_private_key(ec.SECP384R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    with pytest.raises(release.ReleaseError):
        release.read_key(path)


@pytest.mark.parametrize(("key", "says"), [("", "no KEY is given"), ("new.pem", release.PASSPHRASE_VARIABLE)])
def test_what_is_not_given_is_one_sentence(tmp_path, monkeypatch, capsys, key: str, says: str) -> None:
    def nobody_types(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody_types)
    monkeypatch.delenv(release.PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["release", "key", key])
    assert release.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("release: ") and says in said and len(said.splitlines()) == 1


def test_the_manifest_of_a_slot_is_what_a_pile_reads(contents) -> None:
    for board, content in contents.items():
        text = slot.manifest(board, content, 3)
        # A pile of one release back takes no more; one of this release takes manifest.TEXT_MAX_BYTES.
        assert len(text) <= updates.OFFERED_MANIFEST_MAX_BYTES and json.loads(text)["release"] == 3
        assert {name for name, _, _ in manifest.parse(text).files} == set(content)
