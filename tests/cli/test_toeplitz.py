"""`convcli toeplitz` as people type it."""

import json

import pytest


def test_the_lectures_edge_kernel(convcli):
    result = convcli("toeplitz", "--input", "5", "--kernel", "1 0 -1")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "output 3: (5 - 3 + 0)/1 + 1 = 3"
    assert lines[2] == "   1   .  −1   .   .     1     −2"
    assert "matrix       3x5: 6 of 15 entries are not zero" in lines
    assert "parameters   3 shared by all rows; a dense layer has 15" in lines
    assert "correlation  convcli.correlate2d gives the same" in lines


def test_json_and_a_minus_at_the_beginning(convcli):
    words = ["--input", "4", "--kernel", "-1 1", "--values", "-3 1 4 1", "--stride", "2", "--json"]
    document = json.loads(convcli("toeplitz", *words).out)
    assert document["matrix"] == [[-1, 1, 0, 0], [0, 0, -1, 1]]
    assert document["result"] == [4, -3]
    assert (document["params"], document["dense_params"], document["difference"]) == (2, 8, 0)


def test_drawing(convcli, tmp_path):
    target = tmp_path / "matrix.svg"
    result = convcli("toeplitz", "-i", "4x4", "-k", "1 2; 3 4", "-o", target)
    assert result.out.splitlines()[-1] == str(target)
    assert "4×4 to 3×3" in target.read_text()
    again = convcli("toeplitz", "-i", "4x4", "-k", "1 2; 3 4", "-o", target)
    assert (again.code, again.out) == (1, "")


def test_what_is_too_wide_is_said(convcli, tmp_path):
    result = convcli("toeplitz", "-i", "12x12", "-k", "box")
    assert result.code == 0
    assert "too wide for 80 columns; -o matrix.png draws it" in result.out
    drawn = convcli("toeplitz", "-i", "12x12", "-k", "box", "-o", tmp_path / "m.png")
    assert "too wide for 80 columns; see the drawing" in drawn.out


@pytest.mark.parametrize(
    "words", [["-i", "40x40", "-k", "box"], ["-i", "5", "-k", "nothing"], ["-i", "5"], ["-i", "0", "-k", "1"],
              ["-i", "5", "-k", "1", "-o", "a.gif"], ["-i", "5", "-k", "1", "--values", "1 2"]],
)  # fmt: skip
def test_wrong_usage(convcli, words):
    result = convcli("toeplitz", *words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
