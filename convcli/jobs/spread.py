"""Many pictures in many processes: a task is a few dozen files, which one process reads, works on and writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from convcli.engines import Engine
from convcli.errors import ConvcliError
from convcli.jobs.batch import Files, Operation, Outcome, failed, is_due, run_tasks
from convcli.jobs.tasks import STREAM, Task, absolute

# Measured on 2,000 JPEGs: 20 to 200 files a task cost 20 s of CPU, one file a task 44.
_FEWEST, _MOST = 20, 200
_TASKS_EACH = 8  # for each worker, so that the last of them end together


def pictures_per_task(count: int, workers: int) -> int:
    """How many pictures a task has."""
    return min(max(-(-count // (_TASKS_EACH * workers)), _FEWEST), _MOST)


def spread_tasks(
    tasks: Sequence[Task], operation: Operation, files: Files, engine: Engine, tell: Callable[[str], object]
) -> Iterator[Outcome]:
    """As `convcli.jobs.batch.run_tasks`, in the engine's processes; outcomes come in the order of the tasks.

    Whether a target may be written is decided here: a process that takes over from a dead one finds some of its files.
    """
    if any(STREAM in (task.source, task.target) for task in tasks):
        raise ConvcliError("standard input: got it with workers, expected files, which they can open")
    each = pictures_per_task(len(tasks), engine.workers)
    groups = [range(first, min(first + each, len(tasks))) for first in range(0, len(tasks), each)]
    tell(f"{len(tasks)} pictures in {len(groups)} tasks of {each}")
    ready: dict[int, Outcome] = {}

    def due(groups: Sequence[range]) -> Iterator[tuple[tuple[int, Task], ...]]:
        for group in groups:
            found = tuple((index, absolute(tasks[index])) for index in group if index not in ready and asked(index))
            if found:
                yield found

    def asked(index: int) -> bool:
        try:
            if is_due(tasks[index], files):
                return True
            ready[index] = Outcome(tasks[index], "skipped")
        except (ConvcliError, OSError) as error:
            ready[index] = failed(tasks[index], error)
        return False

    told, again = 0, groups
    allowed = replace(files, overwrite=True, skip_existing=False)
    while again:
        work, dead = partial(_work, operation, allowed), list[range]()
        for done in engine.run(work, due(again)):
            if done.killed and len(done.item) > 1:  # one of them is to blame
                dead += [range(index, index + 1) for index, _ in done.item]
            elif done.killed:
                index, reason = done.item[0][0], ConvcliError("the processes that work on it die")
                ready[index] = failed(tasks[index], reason)
            elif done.error is not None:
                ready |= {index: failed(tasks[index], done.error) for index, _ in done.item}
            else:
                told_of = zip(done.item, done.value, strict=True)
                ready |= {index: _as_typed(outcome, tasks[index]) for (index, _), outcome in told_of}
            while told in ready:
                yield ready.pop(told)
                told += 1
        again = dead
        files = replace(files, overwrite=True, skip_existing=False)
    for index in sorted(ready):
        yield ready[index]


def _as_typed(outcome: Outcome, task: Task) -> Outcome:
    """What became of a task, with the names that the user knows."""
    error = outcome.error.replace(outcome.task.source, task.source).replace(outcome.task.target, task.target)
    return replace(outcome, task=task, error=error)


def _work(operation: Operation, files: Files, items: Sequence[tuple[int, Task]]) -> list[Outcome]:
    return list(run_tasks([task for _, task in items], operation, files))
