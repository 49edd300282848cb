"""Predictions: order, batches, bad files, what was seen."""

import io

import numpy as np
import pytest
from drawn_digits import SCENES
from made_models import digits_model
from PIL import Image

from convcli.errors import ConvcliError
from convcli.images import read
from convcli.jobs.classifier import load_classifier
from convcli.jobs.predict import Prediction, predict, seen_picture


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_classifier(digits_model(tmp_path_factory.mktemp("model") / "digits.safetensors"))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawings")
    for digit in range(10):
        (folder / f"{digit}.png").write_bytes(SCENES["paint program"](digit, np.random.default_rng(digit)))
    return folder


def test_one_after_the_other_is_all_at_once(classifier, drawings):
    sources = [str(drawings / f"{n % 10}.png") for n in range(23)]
    together = list(predict(classifier, sources))
    apart = [each for source in sources for each in predict(classifier, [source], batch_size=1)]
    fives = list(predict(classifier, sources, batch_size=5))
    for others in (apart, fives):
        assert [each.file for each in others] == sources
        for one, other in zip(together, others, strict=True):
            assert [label for label, _ in one.top] == [label for label, _ in other.top]
            assert np.allclose([p for _, p in one.top], [p for _, p in other.top], atol=1e-5)
            assert np.array_equal(one.seen, other.seen)


def test_the_likeliest_come_first_and_are_the_networks(classifier, drawings):
    (result,) = predict(classifier, [str(drawings / "7.png")], top=99)
    assert len(result.top) == 10
    shares = [share for _, share in result.top]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    expected = classifier.trained.predict(classifier.rule.apply(read(drawings / "7.png"))[None])[0]
    assert dict(result.top) == {label: float(share) for label, share in zip("0123456789", expected, strict=True)}
    assert result.as_dict()["top"][0] == {"label": result.top[0][0], "probability": result.top[0][1]}


def test_a_bad_file_does_not_stop_the_rest(classifier, drawings, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes((drawings / "3.png").read_bytes()[:100])
    blank = tmp_path / "blank.png"
    Image.new("L", (50, 50), 255).save(blank)
    sources = [str(broken), str(drawings / "1.png"), str(tmp_path / "missing.png"), str(blank), str(drawings / "2.png")]
    results = list(predict(classifier, sources, batch_size=2))
    assert [bool(each.error) for each in results] == [True, False, True, True, False]
    for result, word in zip(results, ["broken.png", "", "no such file", "no digit found", ""], strict=True):
        assert word in result.error
        assert "\n" not in result.error
        assert not result.error or result.file in result.error


def test_standard_input(classifier, drawings):
    stream = io.BytesIO((drawings / "4.png").read_bytes())
    (piped,) = predict(classifier, ["-"], stdin=stream)
    (named,) = predict(classifier, [str(drawings / "4.png")])
    assert (piped.file, piped.top) == ("-", named.top)
    (closed,) = predict(classifier, ["-"])
    assert closed.error == "standard input: is not open"


def test_loops_are_prepared_once_and_top_is_checked(classifier, drawings):
    calls = []
    sources = [str(drawings / "4.png")] * 5
    list(predict(classifier, sources, batch_size=2, prepare=lambda: calls.append(1)))
    assert calls == [1]
    with pytest.raises(ConvcliError, match="top: got 0"):
        list(predict(classifier, sources, top=0))
    assert list(predict(classifier, [])) == []


def test_what_was_seen(classifier, drawings):
    results = list(predict(classifier, [str(drawings / f"{n}.png") for n in range(10)]))
    alone = seen_picture(results[:1]).pixels
    assert alone.shape == (280, 280, 3)
    assert np.array_equal(alone[::35, ::35, :1], np.rint(results[0].seen * 255))
    sheet = seen_picture(results).pixels
    assert sheet.shape[2] == 3
    assert sheet[0, 0].tolist() == [255, 255, 255]
    assert sheet.shape[1] > 8 * 100
    with pytest.raises(ConvcliError, match="nothing to show"):
        seen_picture([Prediction("x", error="bad")])


def test_pictures_of_one_name_in_two_folders_differ_on_a_sheet(tmp_path):
    from convcli.jobs.predict import _names

    files = [str(tmp_path / name) for name in ("a/x.png", "a/b/x.png", "c/x.png")]
    assert _names(files) == ["a/x.png", "a/b/x.png", "c/x.png"]
    assert _names(files[:1]) == ["x.png"] and _names(["-", files[1]]) == ["stdin", "x.png"]
