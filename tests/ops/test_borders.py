"""What lies beyond a border, and parts of it."""

import numpy as np
import pytest

from convcli.ops.borders import BORDERS, Part, border_table


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("knows_it", [True, False], ids=["the loop knows the border", "constants alone"])
def test_a_part_of_a_padded_axis_finds_the_same_positions(border, knows_it):
    as_they_come = 0
    for n, before, after in np.ndindex(7, 5, 5):
        table = border_table(n + 1, (before, after), border)
        for first in range(len(table)):
            for end in range(first + 1, len(table) + 1):
                wanted = table[first:end]
                if (wanted < 0).all():
                    continue
                part = Part.of(wanted, border if knows_it else "constant")
                found = part.repeated(part.wanted, 0)
                around = border_table(len(found), (part.before, part.after), border if knows_it else "constant")
                if part.index is not None:
                    around = border_table(len(found), (part.before, part.after), "constant")
                np.testing.assert_array_equal(np.where(around < 0, -1, found[around]), wanted)
                as_they_come += part.index is None and part.before + part.after > 0
    assert (as_they_come > 0) == (knows_it or border == "constant")
