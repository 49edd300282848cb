"""Many pictures in many processes: a task is a few dozen files, which one process reads, works on and writes."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from convcli.addresses import Present
from convcli.engines import Done, Engine
from convcli.errors import ConvcliError
from convcli.jobs.batch import Files, Operation, Outcome, failed, is_due, run_tasks
from convcli.jobs.tasks import STREAM, Task, absolute

# Measured on 2,000 JPEGs: 20 to 200 files a task cost 20 s of CPU, one file a task 44.
_FEWEST, _MOST = 20, 200
_TASKS_EACH = 8  # for each worker, so that the last of them end together


def pictures_per_task(count: int, workers: int) -> int:
    """How many pictures a task has."""
    return min(max(-(-count // (_TASKS_EACH * workers)), _FEWEST), _MOST)


@dataclass(frozen=True)
class _Group:
    """Some of the tasks that go together: ``places`` are theirs among those of the group, ``tasks`` what is sent."""

    number: int
    places: tuple[int, ...]
    tasks: tuple[Task, ...]


def spread_tasks(
    tasks: Sequence[Task], operation: Operation, files: Files, engine: Engine, tell: Callable[[str], object]
) -> Iterator[Outcome]:
    """As `convcli.jobs.batch.run_tasks`, in the engine's processes; outcomes come in the order of the tasks.

    Those come last whose processes died: each is tried once more by itself. Whether a target may be written is decided
    here: a process that takes over from a dead one finds some of its files.
    """
    if len(tasks) == 1 and STREAM in (tasks[0].source, tasks[0].target):
        raise ConvcliError("standard input: got it with workers, expected files, which they can open")
    each, present = pictures_per_task(len(tasks), engine.workers), Present()
    tell(f"{len(tasks)} pictures in {-(-len(tasks) // each)} tasks of {each}")
    work = partial(_work, operation, replace(files, overwrite=True, skip_existing=False))
    flight = _Flight(engine, work)

    def groups() -> Iterator[tuple[_Group, list[Task | Outcome]]]:
        for number, first in enumerate(range(0, len(tasks), each)):
            known = [_asked(task, files, present) for task in tasks[first : first + each]]
            places = tuple(place for place, task in enumerate(known) if isinstance(task, Task))
            yield _Group(number, places, tuple(absolute(task) for task in known if isinstance(task, Task))), known

    yield from flight.run(groups())
    dead, flight.dead = flight.dead, {}
    singles = (
        (_Group(place, (0,), (absolute(task),)) if isinstance(task, Task) else _Group(place, (), ()), [task])
        for place, task in enumerate(itertools.chain.from_iterable(dead.values()))
    )
    yield from flight.run(singles)
    for known in flight.dead.values():
        for task in known:
            yield failed(cast(Task, task), ConvcliError("the processes that work on it die"))


class _Flight:
    """Groups that are worked on, and what is known of them until all before them have been told."""

    def __init__(self, engine: Engine, work: Callable[[_Group], list[Outcome]]) -> None:
        self._engine, self._work = engine, work
        self.dead: dict[int, list[Task | Outcome]] = {}

    def run(self, groups: Iterable[tuple[_Group, list[Task | Outcome]]]) -> Iterator[Outcome]:
        """The outcomes of groups in their order; of those that are dead nothing."""
        known: dict[int, list[Task | Outcome]] = {}  # in order
        ready: set[int] = set()

        def sent() -> Iterator[_Group]:
            for group, its in groups:
                known[group.number] = its
                yield group

        for done in self._engine.run(self._work, sent()):
            group = done.item
            if done.killed:
                self.dead[group.number] = known.pop(group.number)
            else:
                its = known[group.number]
                for place, outcome in zip(group.places, _outcomes(done), strict=True):
                    its[place] = _as_typed(outcome, cast(Task, its[place]))
                ready.add(group.number)
            while known and (first := next(iter(known))) in ready:
                ready.remove(first)
                yield from cast(list[Outcome], known.pop(first))


def _asked(task: Task, files: Files, present: Present) -> Task | Outcome:
    """A task that is to be done, or what became of it already."""
    try:
        return task if is_due(task, files, present=present) else Outcome(task, "skipped")
    except (ConvcliError, OSError) as error:
        return failed(task, error)


def _outcomes(done: Done) -> list[Outcome]:
    if done.error is None:
        return cast(list[Outcome], done.value)
    return [failed(task, done.error) for task in done.item.tasks]


def _as_typed(outcome: Outcome, task: Task) -> Outcome:
    """What became of a task, with the names that the user knows."""
    error = outcome.error.replace(outcome.task.source, task.source).replace(outcome.task.target, task.target)
    return replace(outcome, task=task, error=error)


def _work(operation: Operation, files: Files, group: _Group) -> list[Outcome]:
    return list(run_tasks(group.tasks, operation, files)) if group.tasks else []
