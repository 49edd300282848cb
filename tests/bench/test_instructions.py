"""Sides that are limited to lesser instructions: told, asked, and named where nobody could tell."""

import json
import os
import subprocess
import sys

import pytest

from convcli.bench.instructions import INSTRUCTION_SETS, unlimited
from convcli.cli.bench_table import isa_line
from convcli.loops.compiling import processor
from convcli.loops.compiling.processor import LEVELS, here

AVX2 = INSTRUCTION_SETS["avx2"]


def asked(isa, module, question):
    """What a library says of itself in a process that was told of the limit."""
    pytest.importorskip(module)
    environment = os.environ | INSTRUCTION_SETS[isa].variables
    code = f"import {module}\nfrom convcli.bench.instructions import *\n{question}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_opencv_keeps_to_what_it_is_told(isa):
    question = f"print(unlimited(INSTRUCTION_SETS[{isa!r}], ['opencv']), cv2.getCPUFeaturesLine())"
    kept, *features = asked(isa, "cv2", question)
    assert kept == "[]"
    assert not {"*AVX512-SKX", "*AVX512-ICL"} & set(features)


@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_torch_keeps_to_what_it_is_told(isa):
    assert asked(isa, "torch", f"print(unlimited(INSTRUCTION_SETS[{isa!r}], ['torch']))") == ["[]"]


def test_who_uses_more_or_cannot_be_asked_is_named(monkeypatch):
    class Wide:
        @staticmethod
        def getCPUFeaturesLine():  # noqa: N802 (OpenCV's name)
            return "SSE SSE2 SSE3 *SSE4.1 *AVX2 *AVX512-SKX"

    monkeypatch.setitem(sys.modules, "cv2", Wide)
    assert unlimited(AVX2, ["opencv", "scipy", "vips"]) == ["opencv", "scipy", "vips"]
    monkeypatch.setattr(Wide, "getCPUFeaturesLine", lambda: "SSE SSE2 SSE3 *SSE4.1 *AVX2 *AVX512-SKX?")
    assert unlimited(AVX2, ["opencv", "scipy"]) == ["scipy"]
    assert isa_line("avx2", ["scipy"]) == "no more instructions than avx2; not known of SciPy"
    assert isa_line("sse4", []) == "no more instructions than sse4"


def test_our_levels_are_those_of_the_loops():
    assert {each.level for each in INSTRUCTION_SETS.values()} <= set(LEVELS)


@pytest.mark.skipif(not LEVELS["x86-64-v3"] <= here().features, reason="needs AVX2")
def test_our_own_loops_are_made_for_the_level():
    command = ["bench", "morph", "--quick", "--repeats", "1", "--isa", "avx2", "--json"]
    done = subprocess.run([sys.executable, "-m", "convcli", *command], capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["machine"]["machine"]["processor"] == "x86-64-v3"
    assert document["setting"]["isa"] == "avx2"


def test_instructions_that_this_processor_has_not(convcli, monkeypatch):
    monkeypatch.setattr(processor, "_runs", lambda level: False)
    processor.processor.cache_clear()
    try:
        answer = convcli("bench", "filter", "--list", "--isa", "avx2")
    finally:
        processor.processor.cache_clear()
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == "Error: --isa: got avx2, expected instructions that this processor has"
