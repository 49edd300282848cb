"""Many pictures in many processes: a task is a few dozen files, which one process reads, works on and writes."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convcli.addresses import Present
from convcli.engines import Done, Engine
from convcli.errors import ConvcliError
from convcli.jobs.batch import Files, Operation, Outcome, failed, is_due, run_tasks
from convcli.jobs.tasks import STREAM, Task, absolute

# Measured on 2,000 JPEGs: 20 to 200 files a task cost 20 s of CPU, one file a task 44.
_FEWEST, _MOST = 20, 200
DEAD = "the processes that work on it die"
_TASKS_EACH = 8  # for each worker, so that the last of them end together


def pictures_per_task(count: int, workers: int) -> int:
    """How many pictures a task has."""
    return min(max(-(-count // (_TASKS_EACH * workers)), _FEWEST), _MOST)


def cut_text(count: int, each: int, what: str) -> str:
    """Into how many tasks, or parts, pictures are cut.

    >>> cut_text(50, 32, "task"), cut_text(1, 32, "part")
    ('50 pictures in 2 tasks of 32', '1 picture in 1 part of 1')
    """
    parts = -(-count // each)
    return f"{count} picture{'s' * (count != 1)} in {parts} {what}{'s' * (parts != 1)} of {min(each, count)}"


@dataclass(frozen=True)
class Group:
    """Some of the items of a list: what other processes get of them, and what is kept of them here."""

    number: int
    sent: Any
    kept: Any


class Flight:
    """Groups that are worked on in an engine's processes, and told in their order.

    Attributes
    ----------
    dead : list of Group
        Those whose processes died: they are not told.
    """

    def __init__(self, engine: Engine, work: Callable[[Any], Any]) -> None:
        self._engine, self._work = engine, partial(_work_on, work)
        self.dead: list[Group] = []

    def run(self, groups: Iterable[Group]) -> Iterator[tuple[Group, Done]]:
        """What becomes of each group, in order; they are asked for as there is room for them."""
        flying: dict[int, Group] = {}  # in order
        ready: dict[int, Done] = {}

        def sent() -> Iterator[tuple[int, Any]]:
            for group in groups:
                flying[group.number] = group
                yield group.number, group.sent

        for done in self._engine.run(self._work, sent()):
            number = done.item[0]
            if done.killed:
                self.dead.append(flying.pop(number))
            else:
                ready[number] = done
            while flying and (first := next(iter(flying))) in ready:
                yield flying.pop(first), ready.pop(first)


def _work_on(work: Callable[[Any], Any], item: tuple[int, Any]) -> Any:
    return work(item[1])


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
    tell(cut_text(len(tasks), each, "task"))
    work = partial(_work, operation, replace(files, overwrite=True, skip_existing=False))

    def groups() -> Iterator[Group]:
        for number, first in enumerate(range(0, len(tasks), each)):
            known = [_asked(task, files, present) for task in tasks[first : first + each]]
            yield Group(number, [absolute(task) for task in known if isinstance(task, Task)], known)

    flight = Flight(engine, work)
    for group, done in flight.run(groups()):
        yield from _told(group, done)
    left = itertools.chain.from_iterable(group.kept for group in flight.dead)
    singles = Flight(engine, work)
    alone = (
        Group(number, [absolute(task)] if isinstance(task, Task) else [], [task]) for number, task in enumerate(left)
    )
    for group, done in singles.run(alone):
        yield from _told(group, done)
    for group in singles.dead:
        yield failed(group.kept[0], ConvcliError(DEAD))


def _told(group: Group, done: Done) -> Iterator[Outcome]:
    """What became of each task of a group."""
    outcomes = iter(done.value) if done.error is None else (failed(task, done.error) for task in group.sent)
    for task in group.kept:
        yield _as_typed(next(outcomes), task) if isinstance(task, Task) else task


def _asked(task: Task, files: Files, present: Present) -> Task | Outcome:
    """A task that is to be done, or what became of it already."""
    try:
        return task if is_due(task, files, present=present) else Outcome(task, "skipped")
    except (ConvcliError, OSError) as error:
        return failed(task, error)


def _as_typed(outcome: Outcome, task: Task) -> Outcome:
    """What became of a task, with the names that the user knows."""
    error = outcome.error.replace(outcome.task.source, task.source).replace(outcome.task.target, task.target)
    return replace(outcome, task=task, error=error)


def _work(operation: Operation, files: Files, tasks: Sequence[Task]) -> list[Outcome]:
    return list(run_tasks(tasks, operation, files)) if tasks else []
