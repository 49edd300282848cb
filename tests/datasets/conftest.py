"""For tests of data sets: no real cache, no real downloads, and the real MNIST only where it is at hand."""

import os

import pytest
from made_data import serving

from convcli.datasets import ENTRIES
from convcli.datasets.places import VARIABLE, read_set

REAL_DATA = os.environ.get(VARIABLE)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no CONVCLI_DATA_DIR."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "convcli" / "data"


@pytest.fixture
def mnist(monkeypatch):
    """The real MNIST, where CONVCLI_DATA_DIR leads to it."""
    if not REAL_DATA:
        pytest.skip(f"{VARIABLE} is not set: the real MNIST is needed")
    monkeypatch.setenv(VARIABLE, REAL_DATA)
    found = read_set(ENTRIES["mnist"])
    if found.folder is None:
        pytest.skip(f"{VARIABLE}={REAL_DATA} holds no MNIST")
    return found.value


@pytest.fixture
def serve():
    """`serving`, as a fixture."""
    return serving


@pytest.fixture
def refused():
    """An address at which nobody answers."""
    with serving({}) as (address, _):
        pass
    return address
