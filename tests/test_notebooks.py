"""What notebooks show of kernels, models and summaries."""

import pickle
import re

import numpy as np
import pytest

import convcli as package
from convcli.kernels import LIBRARY, parse_kernel
from convcli.nn import Model
from convcli.notebooks import matrices, table


def numbers(html):
    return re.findall(r"<td[^>]*>([^<]*)</td>", html)


def test_a_kernel_is_drawn_as_its_matrix():
    shown = package.kernel("sobel-x")._repr_html_()
    assert numbers(shown) == ["−1", "0", "1", "−2", "0", "2", "−1", "0", "1"]
    assert "3x3, sum 0" in shown


def test_a_compound_kernel_shows_each_of_its_parts():
    shown = parse_kernel("sobel")._repr_html_()
    assert len(numbers(shown)) == 18
    assert "<caption>sobel-x</caption>" in shown and "<caption>sobel-y</caption>" in shown
    assert "3x3, sum 0<" in shown and "root of the sum of squares" in shown
    assert "25x25, sum 0<" in package.kernel("log:sigma=3")._repr_html_()


@pytest.mark.parametrize("name", list(LIBRARY))
def test_every_kernel_of_the_library_can_be_shown(name):
    kernel = parse_kernel(name)
    shown = sum(plane.size for plane in kernel.planes) if kernel.has_matrix else 0
    assert len(numbers(kernel._repr_html_())) == shown and kernel.name in kernel._repr_html_()


def test_a_kernels_weights_are_an_array_in_every_other_way():
    weights = package.kernel("gaussian:sigma=1")
    assert isinstance(weights, np.ndarray)
    assert type(weights * 2) is np.ndarray
    assert type(weights.sum()) is np.float64
    assert repr(weights).startswith("array([[")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(weights)), weights)
    weights[0, 0] = 5
    assert weights[0, 0] == 5
    assert weights[0]._repr_html_().count("<td") == weights.shape[1]
    image = np.ones((9, 9))
    np.testing.assert_array_equal(package.correlate2d(image, weights), package.correlate2d(image, np.array(weights)))


def test_large_kernels_are_colours_and_huge_ones_a_line():
    assert set(numbers(package.kernel("box:size=41")._repr_html_())) == {""}
    assert "too many to draw" in package.kernel("box:size=201")._repr_html_()


def test_minus_signs_are_no_hyphens_anywhere():
    shown = package.kernel("-1 0.00001; 0 -2.5")._repr_html_()
    assert "sum −3.49999" in shown
    assert 'title="−1"' in shown
    assert ">1e−05<" in shown
    assert not re.search(r'[">(\s]-[\d.]', shown)


def test_text_on_every_colour_can_be_read():
    shown = matrices("", [[list(np.linspace(-3, 3, 41))]])
    for colour in re.findall(r"background:rgb\((\d+,\d+,\d+)\);color:#000", shown):
        red, green, blue = ((int(each) / 255) ** 2.2 for each in colour.split(","))
        assert (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) / 0.05 >= 4.5


def test_a_summary_and_models_are_tables():
    shown = package.summary("mnist")._repr_html_()
    assert "93,322 parameters" in shown
    assert "<td" in shown and "26x26x32" in shown
    assert package.summary("mnist", "32x28").input == (32, 28, 1)
    model = Model.from_layers(["dense:2,softmax"], (4,), name="<b>")
    assert "&lt;b&gt;" in model._repr_html_() and "<b><b>" not in model._repr_html_()
    trained = package.load_model("shipped")._repr_html_()
    assert "trained on mnist, 10 classes: 0, 1, 2" in trained
    assert re.search(r"accuracy 99\.\d\d%", trained)


def test_names_from_files_are_escaped():
    assert "<script>" not in table("<script>", ["<script>"], [["<script>"]], ["<script>"])


def test_a_network_prints_as_a_table_and_is_short_in_lists():
    plan = package.summary("lenet5")
    assert repr(plan) == "NetworkPlan(lenet5, 32x32x1 to 10, 61,706 parameters)"
    lines = str(plan).splitlines()
    assert lines[0].startswith("lenet5: ") and len(lines) == len(plan.layers) + 4
    assert lines[3].split() == ["C1", "28x28x6", "156", "117,600", "5x5"] and max(map(len, lines)) < 80


def test_numbers_that_are_none_are_drawn_without_a_colour():
    weights = package.kernel("box")
    for odd in (np.nan, np.inf, -np.inf):
        weights[0, 0] = odd
        assert weights._repr_html_().count("<td") == 9
