"""Work in other processes: what is bounded, what dies, who is refused, and what is said."""

import os
import sys
import time

import pytest

from convcli.engines import Done, EngineError, attempt, dask
from convcli.engines.here import Here
from convcli.errors import ConvcliError, ImageError
from convcli.jobs.scaling import Scaling, versions

pytest.importorskip("distributed")


def outcomes(engine, act, items):
    return {each.item: each for each in engine.run(act, items)}


def test_errors_are_outcomes_and_the_system_is_asked_again(tmp_path):
    asked = []

    def act(item):
        asked.append(item)
        if item == 1:
            raise ImageError("damaged")
        if item == 2 or (item == 3 and asked.count(3) < 3):
            raise OSError("try again")
        return item * 10

    found = outcomes(Here(), act, range(5))
    assert [found[item].value for item in range(5)] == [0, None, None, 30, 40]
    assert [str(found[item].error) for item in (1, 2)] == ["damaged", "try again"]
    assert [asked.count(item) for item in range(5)] == [1, 1, 3, 3, 1]
    full = attempt(lambda item: (_ for _ in ()).throw(OSError(28, "No space left on device")), 0)
    assert full.error.errno == 28


def test_workers_of_other_versions_are_refused(cluster):
    here = os.getpid()

    def prepare(threads=None):
        import os

        return {"numpy": "2" if os.getpid() == here else "1"}

    from distributed import Client

    def forget():
        from convcli.engines.dask import _READY

        _READY.clear()

    with Client(cluster, set_as_default=False) as client:
        client.run(forget)
        with pytest.raises(EngineError, match=r"worker tcp://.*: got numpy 1, expected 2 as here"):
            dask.Dask(client, prepare)
        client.run(forget)


def test_without_workers_the_wait_has_an_end():
    from distributed import LocalCluster

    with dask._hushed(), LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as empty:
        began = time.monotonic()
        with (
            pytest.raises(EngineError, match="there has been none for 0 seconds; start some, then --resume goes on"),
            dask.dask_engine(0, empty.scheduler_address, versions, print, patience=0.3),
        ):
            raise AssertionError
        assert time.monotonic() - began < 20


def test_nobody_there_and_nothing_installed(monkeypatch):
    monkeypatch.setattr(dask, "_CONNECT", 0.3)
    for words, said in (
        ({"cluster": "tcp://127.0.0.1:1"}, r"nobody answers at 'tcp://127.0.0.1:1' .*expected a scheduler"),
        ({"workers": 2}, r"need dask and distributed; .*\[scale\]"),
    ):
        with pytest.raises(ConvcliError, match=said), Scaling(**words).engine(print):
            raise AssertionError
        monkeypatch.setitem(sys.modules, "distributed", None)


def test_what_died_before_it_was_fetched_is_done_again():
    submitted = []

    class Future:
        def __init__(self, item):
            self.item, self.key, self.status = (
                item,
                f"{len(submitted)}",
                "lost" if item not in submitted else "finished",
            )
            submitted.append(item)

        def add_done_callback(self, call):
            call(self)

        def result(self):
            return Done(self.item, self.item * 10)

    class Client:
        def submit(self, work, item, **words):
            return Future(item)

        def nthreads(self):
            return {"one": 1}

        def run(self, *words):
            return {}

        def cancel(self, *words, **named):
            pass

    engine = dask.Dask(Client(), dict)
    assert sorted(each.value for each in engine.run(abs, [1, 2, 3])) == [10, 20, 30] and sorted(submitted) == [
        1, 1, 2, 2, 3, 3
    ]  # fmt: skip


def test_processes_that_die_as_they_begin():
    begun = []

    def begin():
        begun.append(1)
        if len(begun) < 3:
            raise RuntimeError("Nanny failed to start.")
        return "a cluster"

    assert dask._begun(begin) == "a cluster"
    with pytest.raises(EngineError, match=r"their processes die as they begin \(no\); look at memory and limits"):
        dask._begun(lambda: (_ for _ in ()).throw(OSError("no")))


def test_many_processes(cluster):
    pulled, done = [], []

    def act(item):  # closures are sent by value
        import os

        if item == 7:
            os._exit(3)  # always
        if item == 11:
            raise OSError(2, "gone")
        return item, os.getpid()

    def items():
        for item in range(40):
            pulled.append(item)
            assert len(pulled) - len(done) <= 8  # never all of them at the scheduler
            yield item

    said = []
    with dask.dask_engine(0, cluster, versions, said.append) as engine:
        for each in engine.run(act, items()):
            done.append(each)
    found = {each.item: each for each in done}
    assert sorted(found) == list(range(40)) and [each.item for each in done if each.killed] == [7]
    assert found[11].error.strerror == "gone"
    pids = {each.value[1] for each in done if each.value}
    assert os.getpid() not in pids and len(pids) >= 2
    assert said[0].startswith("2 workers; dashboard: http")
