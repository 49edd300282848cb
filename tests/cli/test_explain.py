import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).parent.parent.parent / "sample_images"


def document_of(path):
    text = Path(path).read_text(encoding="utf-8")
    return json.loads(text.split('id="document">')[1].split("</script>")[0])


def test_a_page_of_a_picture(convcli, tmp_path):
    out = tmp_path / "page.html"
    result = convcli("explain", SAMPLES / "cat.jpg", "-k", "sobel-x", "--region", "30:40,40:52", "-o", out)
    assert (result.code, result.out) == (0, f"{out}\n")
    document = document_of(out)
    assert document["region"] == [40, 30, 12, 10]
    filtered = tmp_path / "filtered.png"
    assert convcli("filter", SAMPLES / "cat.jpg", "-k", "sobel-x", "-o", filtered).code == 0
    expected = np.asarray(Image.open(filtered))[30:40, 40:52]
    shown = np.array(document["filters"][0]["pixels"]).reshape(3, 10, 12)
    np.testing.assert_array_equal(np.moveaxis(shown, 0, -1), expected)


def test_a_region_in_the_words_of_earlier_versions(convcli, tmp_path):
    """Columns came first then: the same pixels, and a line that says what to write."""
    pages = []
    for number, region in enumerate(("30:40,40:52", "40,30,12x10")):
        pages.append(tmp_path / f"{number}.html")
        words = ("explain", SAMPLES / "cat.jpg", "-k", "sobel-x", "--region", region, "-o")
        result = convcli(*words, pages[-1])
        assert result.code == 0
        notice = "Warning: --region: the words X,Y,WxH will be gone: rows come first everywhere; write 30:40,40:52\n"
        assert (notice in result.err) == bool(number)
        assert convcli(*words, tmp_path / f"q{number}.html", "-q").err == ""
    assert pages[0].read_text() == pages[1].read_text()


def test_the_middle_of_a_large_picture_with_a_notice(convcli, tmp_path):
    result = convcli("explain", SAMPLES / "noisy.png", "-k", "box", "-o", tmp_path / "p.html", "--json")
    assert "of 320 rows and 320 columns the page shows the middle, --region 144:176,144:176" in result.err
    report = json.loads(result.out)
    assert report["region"] == {"row": 144, "column": 144, "height": 32, "width": 32}
    assert (report["input"], report["input_shape"]) == (str(SAMPLES / "noisy.png"), [320, 320, 1])
    assert report["shape"] == [320, 320, 1]
    assert report["formula"][0] == "(320 - 3 + 2*1)/1 + 1 = 320"


def test_a_layer_from_matrices(convcli, tmp_path):
    out = tmp_path / "layer.html"
    result = convcli(
        "explain", "--matrix", "-1 0 2; 0 1 1; 2 2 0 | 0 1 0; 1 1 2; 0 0 1", "-k", "1 0; 0 1 | 0 1; -1 0", "-k",
        "-1 1; 1 0 | 1 1; 0 -1", "--bias", "1,0", "--padding", "1", "--stride", "2", "-o", out, "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert json.loads(result.out)["shape"] == [2, 2, 2]
    document = document_of(out)
    assert [each["bias"] for each in document["filters"]] == [1.0, 0.0]
    assert document["border"] == {"name": "constant", "value": 0.0}
    # The first window's last taps lie on -1 and 0, the others on padding.
    assert document["filters"][0]["pixels"][0][0] == -1 + 1
    assert document["filters"][1]["pixels"][0][0] == 0


def test_existing_pages_are_kept(convcli, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("mine")
    arguments = ["explain", "--matrix", "1 2; 3 4", "-k", "1", "-o", out]
    refused = convcli(*arguments)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "--overwrite" in refused.err
    assert out.read_text() == "mine"
    assert convcli(*arguments, "--overwrite").code == 0


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["-k", "box"], 2, "neither IMAGE nor --matrix"),
    (["x.png", "--matrix", "1", "-k", "box"], 2, "both IMAGE and --matrix"),
    (["--matrix", "1 2; 3", "-k", "1"], 2, "matrix: row 1"),
    (["--matrix", "1 300", "-k", "1", "--range", "clip"], 2, "matrix: got 300"),
    (["--matrix", "1 2", "-k", "nothing"], 2, "no kernel or file"),
    (["--matrix", "1 2", "-k", "1", "--region", "1,2,3"], 2, "--region: got '1,2,3', expected rows and columns"),
    (["--matrix", "1 2", "-k", "1", "--region", "0:1,2:2"], 2, "expected rows and columns as FIRST:END,FIRST:END"),
    (["--matrix", "1 2", "-k", "1", "--region", "0:1,0:3"], 1, "got 0:1,0:3, expected one within the picture's 0:1"),
    (["--matrix", "1 2", "-k", "1", "--bias", "a"], 2, "--bias: got 'a'"),
    (["--matrix", "1 2", "-k", "1 1 1"], 1, "spans 3 along axis 1"),
    (["missing.png", "-k", "box"], 1, "no such file"),
    (["--matrix", "1 2", "-k", "1", "-o", "page.png"], 2, "ends in .html"),
    (["--matrix", "1 2", "-k", "1", "-o", "-"], 2, "ends in .html"),
])  # fmt: skip
def test_wrong_usage_is_one_line(convcli, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    result = convcli("explain", *arguments)
    assert (result.code, result.err.count("\n"), result.out) == (code, 1, ""), result.err
    assert message in result.err
    assert list(Path().iterdir()) == []


def test_no_text_ends_the_script_early(convcli, tmp_path):
    name = tmp_path / "<script>&{{document}}.png"
    Image.new("L", (4, 4), 7).save(name)
    out = tmp_path / "page.html"
    assert convcli("explain", name, "-k", "box", "-o", out).code == 0
    text = out.read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    assert document_of(out)["title"] == name.name
    assert "<title>&lt;script&gt;&amp;{{document}}.png</title>" in text


def test_a_picture_from_standard_input(convcli, tmp_path, monkeypatch):
    stream = io.BytesIO((SAMPLES / "cup.png").read_bytes())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
    out = tmp_path / "page.html"
    result = convcli("explain", "-", "-k", "box", "-o", out, "--region", "0,0,4x4")
    assert result.code == 0
    assert "--alpha drop" in result.err
    assert document_of(out)["title"] == "standard input"
