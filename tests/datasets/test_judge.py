"""The judge of candidates: it is the network that its file says, and sees the same whatever light and polarity."""

import numpy as np
import pytest
from digit_judge import ARCHITECTURE
from safetensors.numpy import load_file

from convcli.datasets.judge import JUDGE, SIDE, judge, views
from convcli.datasets.search import found_at_the_border, found_inside, judged
from convcli.nn.model import Model


def drawn_seven(side=120):
    page = np.full((side, side), 0.9, np.float32)
    page[30:38, 40:84] = 0.2
    for row in range(38, 96):
        middle = 80 - (row - 38) // 2
        page[row, middle - 5 : middle + 5] = 0.2
    return page


def best_view(grey):
    found = [*found_inside(grey, [])]
    seen = [views(each.strokes, each.grey, grey) for each in found]
    scores = judge(seen)
    return seen[int(scores.argmax())], float(scores.max())


def test_it_computes_what_the_engine_computes(rng):
    model = Model.from_layers(ARCHITECTURE, (SIDE, SIDE, 4))
    arrays = {name: values.astype(np.float32) for name, values in load_file(JUDGE).items()}
    assert {name: values.shape for name, values in arrays.items()} == {
        name: each.value.shape for name, each in model.parameters.items()
    }
    model.load_state(arrays)
    seen = rng.integers(0, 256, (9, SIDE, SIDE, 4), dtype=np.uint8)
    expected = model.predict(seen.astype(np.float32) / 255)[:, 0]
    np.testing.assert_allclose(judge(seen), expected, atol=1e-5)


def test_its_file_is_small():
    assert JUDGE.stat().st_size < 100_000


def test_a_digit_is_one_and_a_line_across_it_is_none():
    page = drawn_seven()
    _, score = best_view(page)
    assert score > 0.9
    crossed = np.full((120, 120), 0.9, np.float32)
    crossed[58:62] = crossed[:, 30:33] = 0.3
    found = [*found_inside(crossed, []), *found_at_the_border(crossed, [])]
    assert max(judged(found, crossed), default=0) < 0.5


@pytest.mark.parametrize("change", [lambda page: 1 - page, lambda page: 0.4 * page, lambda page: 0.5 + page / 2])
def test_views_do_not_depend_on_light_and_polarity(change):
    page = drawn_seven()
    plain, _ = best_view(page)
    changed, _ = best_view(change(page))
    assert np.abs(plain.astype(int) - changed).max() <= 6
