"""Labels: every kind, read by a decoder that is not the one that wrote it."""

import io
from pathlib import Path
from xml.etree import ElementTree

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from cloud_stub.cli import main
from cloud_stub.piles import labels
from cloud_stub.settings import Settings

URL = "https://piles.example"
IDS = ["P-1", "abc", "A" * 32, "with_under-score", *(f"PILE-{n}" for n in range(9))]


def codes(picture: Image.Image) -> list[str]:
    return sorted(each.text for each in zxingcpp.read_barcodes(picture))


def test_a_sheet_of_labels_has_every_code_and_every_id_in_letters():
    document = pypdfium2.PdfDocument(labels.pdf(URL, IDS))
    assert len(document) == 3
    for number, page in enumerate(document):
        expected = IDS[6 * number : 6 * number + 6]
        assert codes(page.render(scale=2).to_pil()) == sorted(f"{URL}/p/{each}" for each in expected)
        words = page.get_textpage().get_text_range()
        assert all(each in words for each in expected)
        assert words.count(labels.INSTRUCTION) == len(expected)
    document.close()


def test_each_connector_has_a_label_of_its_own(pile, operator):
    for query, expected in (
        ("kind=pdf", ["http://127.0.0.1:8080/p/PILE-1/1", "http://127.0.0.1:8080/p/PILE-1/2"]),
        ("kind=pdf&connector=2", ["http://127.0.0.1:8080/p/PILE-1/2"]),
    ):
        document = pypdfium2.PdfDocument(operator("GET", f"/api/piles/PILE-1/label?{query}").content)
        assert codes(document[0].render(scale=2).to_pil()) == expected
        document.close()
    answer = operator("GET", "/api/piles/PILE-1/label?connector=2&kind=png")
    assert answer.headers["content-disposition"] == 'inline; filename="PILE-1.2.png"'
    assert operator("GET", "/api/piles/PILE-1/label?connector=3").json()["code"] == "UnknownConnector"
    assert labels.names("PILE-1", 1) == ["PILE-1"], "as it was always printed"


@pytest.mark.parametrize("device_id", ["abc", "A" * 32, "A" * 32 + "/8"])
def test_a_picture_is_read_at_a_phones_distance(device_id: str):
    picture = Image.open(io.BytesIO(labels.png(URL, device_id)))
    assert codes(picture.convert("L")) == [f"{URL}/p/{device_id}"]
    small = picture.convert("L").resize((picture.width // 6, picture.height // 6))
    assert codes(small) == [f"{URL}/p/{device_id}"]


def test_a_drawing_is_svg_with_the_id_and_both_instructions():
    root = ElementTree.fromstring(labels.svg(URL + "/", "P_1-x"))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["RateLock", "P_1-x", labels.INSTRUCTION]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 3  # bolt, code, Chinese


def test_the_operator_gets_a_label_in_each_kind(client, pile, operator):
    for kind, beginning in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        answer = operator("GET", f"/api/piles/PILE-1/label?kind={kind}")
        assert answer.status_code == 200
        assert answer.content.startswith(beginning)
    assert client.get("/api/piles/PILE-1/label").status_code == 401
    assert operator("GET", "/api/piles/PILE-9/label").json()["code"] == "UnknownPile"
    assert operator("GET", "/api/piles/PILE-1/label?kind=exe").status_code == 422


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)  # this process logs as it did
    return lambda *arguments: main(["pile", *arguments])


def test_the_command_writes_what_it_is_asked_for(command, tmp_path: Path, monkeypatch, capsys):
    assert command("add", "PILE-1") == command("add", "PILE-2") == 0
    monkeypatch.setenv("RATELOCK_PUBLIC_URL", "https://piles.example/")
    sheet, folder = tmp_path / "my labels.pdf", tmp_path / "a folder" / "inside"
    wanted = ["label", "PILE-1", "PILE-2", "--pdf", str(sheet), "--png", str(folder), "--svg", str(folder)]
    assert command(*wanted) == 0
    assert sorted(each.name for each in folder.iterdir()) == [
        "PILE-1.png",
        "PILE-1.svg",
        "PILE-2.png",
        "PILE-2.svg",
    ]
    assert codes(Image.open(folder / "PILE-2.png").convert("L")) == ["https://piles.example/p/PILE-2"]
    assert sheet.read_bytes().startswith(b"%PDF")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "url", "said"),
    [
        (["PILE-9", "--pdf", "x.pdf"], URL, "UnknownPile"),
        (["PILE-1"], URL, "--pdf FILE"),
        (["PILE-1", "--pdf", "x.pdf"], "piles.example", "public_url"),
        (["PILE-1", "--pdf", "no/such/folder/x.pdf"], URL, "there is no no/such/folder"),
    ],
)
def test_a_label_that_cannot_be_made_is_told_so(
    command, tmp_path: Path, monkeypatch, capsys, arguments, url, said
):
    assert command("add", "PILE-1") == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATELOCK_PUBLIC_URL", url)
    assert command("label", *arguments) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.pdf").exists()
