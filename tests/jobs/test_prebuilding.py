"""Which loops are compiled beforehand, and that it does not matter for which processor they were."""

import json
import os
import subprocess
import sys

import common_work
import numpy as np
import pytest
from common_work import FEW, digests, pieces

from convcli.errors import ConvcliError
from convcli.jobs.prebuilding import _wanted, prebuild
from convcli.loops.compiling import kept, processor
from convcli.loops.compiling.processor import LEVELS
from convcli.loops.compiling.wanted import listing


def test_the_loops_of_common_work_are_all_compiled_beforehand():
    with listing() as called, np.errstate(all="ignore"):
        for _, make in pieces():
            make()
    wanted = _wanted("common")
    assert set(called) <= set(wanted) < set(_wanted("all"))
    assert len(wanted) < 45  # each takes a second or two of somebody's installation


def test_listing_needs_no_library_that_the_build_does_not_ask_for():
    others = ["click", "PIL", "imagecodecs", "tifffile", "platformdirs", "pooch", "rich"]
    code = f"import sys; sys.modules |= dict.fromkeys({others}); "
    code += "from convcli.jobs.prebuilding import _wanted; print(len(_wanted('all')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == "" and int(result.stdout) > 80


@pytest.mark.skipif(not LEVELS["x86-64-v3"] <= processor.here().features, reason="needs AVX2")
def test_work_gives_the_same_bits_for_another_processor():
    """All common work, when it is run by hand: this compiles little, for time."""
    environment = os.environ | {"CONVCLI_PROCESSOR": "x86-64-v3"}
    command = [sys.executable, common_work.__file__, *FEW]
    other = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(other.stdout) == digests(FEW)


@pytest.mark.skipif(bool(kept.why_not()), reason="loops are left to Numba here")
def test_a_processor_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ConvcliError, match=r"processor: got 'x86-64-v9', expected .* which this machine can make"):
        prebuild(str(tmp_path), "common", "x86-64-v9")
