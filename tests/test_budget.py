"""What may be spent: sizes in words, the limit's three sources, and the one line of a refusal."""

import doctest

import pytest

from convcli import budget
from convcli.errors import ConvcliError, ImageError


@pytest.fixture(autouse=True)
def no_limit_is_given(monkeypatch):
    monkeypatch.delenv(budget.VARIABLE, raising=False)
    budget.limit_memory(None)
    yield
    budget.limit_memory(None)


def test_examples():
    assert doctest.testmod(budget, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4_000_000_000),
        ("500M", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        (" 2gib ", 2 << 30),
        ("1T", 10**12),
        ("1000000", 10**6),
        ("3000KB", 3_000_000),
    ],
)
def test_sizes_in_words(text, size):
    assert budget.read_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-4G", "4X", "1e9", "0.5M", "999K", "4 4G", "nan", "9" * 400])
def test_what_is_no_size(text):
    with pytest.raises(ConvcliError, match=r"^memory: got '.*', expected a size of at least 1M, as in 4G or 500M$"):
        budget.read_size(text)


def test_the_limit_is_what_was_given_then_the_variable_then_half_of_the_machine(monkeypatch):
    half = budget.memory_limit()
    assert half > 10**8
    monkeypatch.setenv(budget.VARIABLE, "3G")
    assert budget.memory_limit() == 3 * 10**9
    budget.limit_memory(10**9)
    assert budget.memory_limit() == 10**9
    budget.limit_memory(None)
    monkeypatch.setenv(budget.VARIABLE, "")
    assert budget.memory_limit() == half


def test_a_variable_that_holds_no_size_is_named(monkeypatch):
    monkeypatch.setenv(budget.VARIABLE, "lots")
    with pytest.raises(ConvcliError, match=r"^CONVCLI_MAX_MEMORY: got 'lots', expected a size"):
        budget.memory_limit()


def test_a_refusal_names_number_limit_and_a_value_of_the_flag_that_is_enough():
    budget.limit_memory(10**9)
    budget.check_memory(10**9, "exactly")
    with pytest.raises(ImageError) as caught:
        budget.check_memory(10**9 + 1, "got 1x1 pixels", ImageError)
    assert str(caught.value) == (
        "got 1x1 pixels, which need 1 GB of memory, expected at most 1 GB; "
        "raise the limit with --max-memory 1001M if that is meant"
    )
    for needed in (10**9 + 1, 9_999_999_999, 10**10 + 1, 48 * 10**9, 10**15 + 1):
        with pytest.raises(ConvcliError) as caught:
            budget.check_memory(needed, "it")
        assert budget.read_size(str(caught.value).split("--max-memory ")[1].split()[0]) >= needed


def test_the_option_limits_one_command_and_not_the_next(convcli, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (600, 600)).save("black.png")
    refused = convcli("filter", "black.png", "-k", "box", "-o", "out.png", "--max-memory", "2M")
    assert refused.code == 1 and "expected at most 2 MB; raise the limit with --max-memory 3M" in refused.err
    assert convcli("filter", "black.png", "-k", "box", "-o", "out.png").code == 0
    monkeypatch.setenv(budget.VARIABLE, "2M")
    assert convcli("filter", "black.png", "-k", "box", "-o", "other.png").code == 1
    assert convcli("filter", "black.png", "-k", "box", "-o", "other.png", "--max-memory", "3M").code == 0


def test_a_name_with_braces_is_left_as_it_is():
    with pytest.raises(ConvcliError, match=r"^a\{b\}\{\}\.txt has 3 planes, expected at most 2; give fewer$"):
        budget.check_count(3, 2, "a{b}{}.txt has {} planes", "give fewer")
