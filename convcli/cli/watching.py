"""``--watch``: runs again whenever an input changes, by looking at times and sizes twice a second."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convcli.addresses import is_address
from convcli.cli.options import WrongUsage
from convcli.cli.preview import WAYS
from convcli.cli.printing import say
from convcli.errors import ConvcliError
from convcli.jobs.tasks import STREAM, Task

INTERVAL = 0.5  # seconds between looks
Stamp = (
    tuple[int, int] | None
)  # when a file was changed, and its size, of a store all its chunks'; None if it is not there


@dataclass
class Watch:
    """What was seen of the inputs, and which outputs are ours to replace."""

    seen: dict[str, Stamp] = field(default_factory=dict)
    pending: dict[str, Stamp] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    rounds: int = 0

    def due(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks whose input has changed since it was worked on; a change counts once it has come to rest."""
        found = []
        for task in tasks:
            stamp = _stamp(task.source)
            if task.source in self.written and task.source not in self.seen:
                self.seen[task.source] = stamp  # a result, whose own input has gone
            if task.source in self.seen and stamp == self.seen[task.source]:
                self.pending.pop(task.source, None)
            elif self.rounds and self.pending.get(task.source, ()) != stamp:
                self.pending[task.source] = stamp  # perhaps it is being written just now
            else:
                self.pending.pop(task.source, None)
                self.seen[task.source] = stamp
                found.append(task)
        return found

    def batches(self, tasks: Sequence[Task]) -> Iterator[tuple[list[Task], bool]]:
        """Tasks whose outputs are ours, and may be replaced, and those whose are not."""
        for is_ours in (True, False):
            batch = [task for task in tasks if (_without_suffix(task) in self.ours) == is_ours]
            if batch:
                yield batch, is_ours

    def made(self, task: Task) -> None:
        """Take note of an output; where it is an input too, it has been seen."""
        self.ours.add(_without_suffix(task))
        self.written.add(task.target)
        if task.target in self.seen:
            self.seen[task.target] = _stamp(task.target)


def check_watch(settings: dict[str, Any], tasks: Sequence[Task]) -> None:
    """Raise `WrongUsage` for what cannot be done again and again."""
    preview = settings.get("preview")
    for is_given, what, why in (
        (settings["as_json"], "--json", "one document has an end"),
        (settings.get("stack"), "--stack", "each input is watched by itself"),
        (preview is not None and preview not in WAYS, f"--preview={preview}", "expected --preview alone"),
    ):
        if is_given:
            raise WrongUsage(f"--watch: got {what} with it: {why}")
    if any(is_address(task.source) for task in tasks):
        raise WrongUsage("--watch: got an address, expected files here, whose changes can be seen")
    if any(STREAM in (task.source, task.target) for task in tasks):
        raise WrongUsage("--watch: got standard input or output, expected files")


def watched(run: Callable[[Watch], int], *, quiet: bool) -> int:
    """Run, and again when something is due, until Ctrl-C; what is wrong later on is told once and ends nothing."""
    watch, told = Watch(), ""
    try:
        run(watch)
        if not quiet:
            say(f"watching {len(watch.seen)} file{'s' * (len(watch.seen) != 1)}; Ctrl-C ends it")
        while True:
            watch.rounds += 1
            time.sleep(INTERVAL)
            try:
                run(watch)
                told = ""
            except (WrongUsage, ConvcliError, OSError) as error:
                message = error.message if isinstance(error, WrongUsage) else str(error)
                if message != told:
                    say(f"Error: {message}")
                told = message
    except KeyboardInterrupt:
        say("watching ended; nothing half-written was left")
        return 130


def _without_suffix(task: Task) -> str:
    """Where a task's output goes; stacks get another suffix than pictures as they turn out to be some."""
    return str(Path(task.target).with_suffix(""))


def _stamp(name: str) -> Stamp:
    path = Path(name)
    try:
        found = [path.stat()]
        if path.is_dir():  # a store, whose chunks change without it
            found += [each.stat() for each in path.rglob("*")]
    except OSError:
        return None
    return max(each.st_mtime_ns for each in found), sum(each.st_size for each in found)
