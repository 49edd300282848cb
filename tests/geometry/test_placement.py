"""Where the cells of a result lie on what it was made from."""

import pytest

from convcli.geometry import Placement, windows_of


@pytest.mark.parametrize(
    ("words", "step", "start"),
    [
        ({"kernel_size": 3, "padding": "same"}, 1, 0),
        ({"kernel_size": 3, "padding": "valid"}, 1, 1),
        ({"kernel_size": 2, "stride": 2}, 2, 0),
        ({"kernel_size": 3, "stride": 2, "padding": 1}, 2, -0.5),
        ({"kernel_size": 3, "dilation": 2, "padding": "valid"}, 1, 2),
        ({"kernel_size": 3, "padding": "full"}, 1, -1),
    ],
)
def test_each_cell_lies_in_the_middle_of_its_window(words, step, start):
    window = windows_of((9,), **words)[0]
    placement = Placement.of(window)
    assert (placement.step, placement.start) == (step, start)
    cells = [
        index * window.stride - window.before + tap * window.dilation
        for index in (2,)
        for tap in range(window.kernel_size)
    ]
    middle = (min(cells) + max(cells) + 1) / 2
    assert placement.start + placement.step * 2.5 == middle


def test_one_operation_after_the_other():
    """A step of 2 from 1, then a step of 3 from -4: the first cell begins at 1 + 2 * -4, the next 6 further on."""
    assert Placement(2, 1).then(Placement(3, -4)) == Placement(6, -7)
