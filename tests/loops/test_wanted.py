"""Which loops something needs is learned without compiling, and can be told to another process."""

import subprocess
import sys

import numpy as np
import pytest

from convcli.errors import ConvcliError
from convcli.jobs.warming import COMMANDS, pieces, wanted_by
from convcli.loops.compiling import kept
from convcli.loops.compiling.wanted import Wanted, listing
from convcli.loops.filtering.correlation import Layout
from convcli.loops.filtering.pointwise import add_squares
from convcli.loops.networks.packing import pack


def test_a_loop_that_is_listed_does_not_run():
    total, response = np.ones(5, np.float32), np.ones(5, np.float32)
    with listing() as found:
        add_squares(total, response)
        add_squares(total, response)
        add_squares(total.astype(float), response.astype(float))
    assert total.tolist() == [1] * 5
    assert [each.name for each in found] == ["filtering.pointwise.add_squares"] * 2
    assert found[0].arguments == '[["float32", 1, true], ["float32", 1, true]]'
    assert found[0].loop is add_squares


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((2, 3), np.uint16), np.zeros(3)),
        (True, np.bool_(True), 3, np.int64(3), 2.5, np.float32(2.5), None),
        (Layout(*range(14)), ((), (1, 2.0), (np.uint8(1), (np.zeros((1, 1, 1)),)))),
        (np.frombuffer(b"abcd", np.uint8),),
    ],
)
def test_arguments_told_as_text_have_the_same_types(arguments):
    with listing() as found:
        pack(*arguments)
    assert kept.types_of(found[0].example) == kept.types_of(arguments)


def test_what_is_no_loop_is_refused():
    with pytest.raises(TypeError, match=r"kept\.find: expected the name of a loop"):
        _ = Wanted("compiling.kept.find", "[]").loop


def test_every_command_needs_loops_and_none_twice():
    needed = {name: wanted_by(pieces([name])) for name in COMMANDS}
    assert all(needed.values())
    assert len(wanted_by(pieces(["filter", "volume"]))) < len(needed["filter"]) + len(needed["volume"])
    assert {each.name for each in wanted_by([each for each in pieces(["pad"]) if each.kind == "uint8"])} == {
        "copying.pad_rows"
    }


def test_an_unknown_command_is_named_with_those_there_are():
    with pytest.raises(ConvcliError, match="got 'blur', expected some of filter, pool, pad"):
        pieces(["blur"])


def test_listing_compiles_nothing():
    code = (
        "import sys; from convcli.jobs.warming import pieces, wanted_by; "
        "assert wanted_by([each for each in pieces(['filter']) if each.kind == 'uint8'][:9]); "
        "print('numba' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.skipif(kept.stamp() is None, reason="loops are left to Numba here")
def test_what_was_made_beforehand_is_what_the_command_runs():
    for each in wanted_by(pieces(["pad"])):
        each.make()
    code = (
        "import sys; import numpy as np; import convcli; "
        "convcli.pad2d(np.zeros((5, 5, 3), np.uint8), 2); print('numba' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
