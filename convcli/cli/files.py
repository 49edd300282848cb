"""Running a batch for a command: progress, paths, warnings, summary, JSON and the exit code."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from convcli.addresses import is_address
from convcli.cli.options import WrongUsage, binary_stdout, say_compiling, usage
from convcli.cli.preview import watcher
from convcli.cli.printing import Warnings, say, show_result
from convcli.cli.progress import progress_bar
from convcli.cli.watching import Watch, check_watch, watched
from convcli.errors import printable
from convcli.images import MAX_PIXELS, READABLE_SUFFIXES
from convcli.images.folders import left_out_text
from convcli.images.formats import suffix_of
from convcli.jobs.batch import Files, Outcome
from convcli.jobs.documents import json_text
from convcli.jobs.inputs import STREAM, Inputs, search
from convcli.jobs.runtime import prepare_loops, request_threads
from convcli.jobs.tasks import Task, plan_tasks

# What is done with the tasks: it calls the function it is given once, before loops run, and yields outcomes in order.
Work = Callable[[Sequence[Task], Files, Callable[[], None]], Iterator[Outcome]]


def carry_out(
    inputs: Sequence[str],
    name: str,
    settings: dict[str, Any],
    work: Work,
    *,
    shows_progress: bool = True,
    check_name: Callable[[str], object] = lambda target: None,
    suffixes: Mapping[str, str] | None = None,
    looked_for: Sequence[str] = READABLE_SUFFIXES,
) -> int:
    """Plan the tasks of one command, have the work done, report, and return the exit code; with ``--watch`` for ever.

    ``settings`` are the values of `options.output`, `options.rest_of_files` and, if the command has one, of
    `convcli.cli.preview.option`; ``name`` stands for ``{kernel}`` in file names. ``shows_progress`` is off for work
    that draws a bar of its own. ``check_name`` raises `ConvcliError` for an output name that cannot be written; it is
    asked about names whose suffix the user wrote. ``suffixes`` is for `convcli.jobs.tasks.plan_tasks`, ``looked_for``
    are those of files in folders.
    """

    def run(watch: Watch | None) -> int:
        found = look_for(inputs, settings["recursive"], looked_for, output=settings["output"] or None)
        files, tasks = usage(lambda: _plan(inputs, found, name, settings, suffixes))
        usage(lambda: _check_names(tasks, settings, check_name))
        once = partial(_run, name=name, settings=settings, work=work, shows_progress=shows_progress)
        if watch is None:
            return once(tasks, files, found)
        check_watch(settings, tasks)
        code = 0
        for batch, is_ours in watch.batches(watch.due(tasks)):
            allowed = replace(files, overwrite=True, skip_existing=False) if is_ours else files
            code = max(code, once(batch, allowed, replace(found, left_out=Counter()), made=watch.made))
        return code

    return watched(run, quiet=settings["quiet"]) if settings["watch"] else run(None)


def _run(
    tasks: Sequence[Task],
    files: Files,
    found: Inputs,
    *,
    name: str,
    settings: dict[str, Any],
    work: Work,
    shows_progress: bool,
    made: Callable[[Task], None] = lambda task: None,
) -> int:
    """Have the work of some tasks done, report, and return the exit code; ``made`` hears of each output."""
    preview = settings.get("preview")
    if preview is not None:
        files = replace(
            files, watch=watcher(preview, tasks, name, overwrite=settings["overwrite"], quiet=settings["quiet"])
        )
    as_json, quiet = settings["as_json"], settings["quiet"]
    request_threads(settings["threads"])
    announce = None if quiet else say_compiling
    started = time.perf_counter()
    told: list[Outcome] = []  # of very many that went well nothing is kept
    counts, warnings = Counter[str](), Warnings()
    with progress_bar(hidden=quiet or not shows_progress or len(tasks) < 2) as advance:
        advance(0, len(tasks))
        for outcome in work(tasks, files, lambda: prepare_loops(settings["threads"], announce)):
            counts[outcome.status] += 1
            if as_json or outcome.status == "failed":
                told.append(outcome)
            if outcome.status == "done":
                made(outcome.task)
            advance(counts.total(), len(tasks), printable(outcome.task.source)[-40:])
            _report(outcome, warnings if len(tasks) > 1 else None, as_json=as_json, quiet=quiet)
    if not quiet:
        warnings.say()
    if as_json:
        show_result(json_text(_document(told) | {"left_out": dict(found.left_out)}))
    for outcome in told:
        if outcome.status == "failed":
            say(f"Error: {outcome.error}")
    if len(tasks) > 1 and not quiet and not settings.get("estimate"):
        say(_summary(counts, time.perf_counter() - started))
    if not quiet:
        say_left_out(found)
    return 1 if counts["failed"] else 0


def look_for(
    inputs: Sequence[str], recursive: bool, suffixes: Sequence[str] = READABLE_SUFFIXES, output: str | None = None
) -> Inputs:
    """The files that names, patterns and folders mean; what means none is wrong usage."""
    found: Inputs = usage(lambda: search(inputs, suffixes, recursive=recursive, output=output))
    return found


def say_left_out(found: Inputs) -> None:
    """What folders held besides, counted by kind."""
    if found.left_out:
        say(f"left out: {left_out_text(found.left_out)}")


def _plan(
    inputs: Sequence[str], found: Inputs, name: str, settings: dict[str, Any], suffixes: Mapping[str, str] | None
) -> tuple[Files, Sequence[Task]]:
    if settings["overwrite"] and settings["skip_existing"]:
        raise WrongUsage("got both --overwrite and --skip-existing, expected one of them")
    if settings["format"] is not None:
        from convcli.images.formats import format_named

        format_named(settings["format"])
    tasks = plan_tasks(
        found.files,
        _folder_for(found, settings["output"]),
        name,
        overwrite=settings["overwrite"],
        format=settings["format"],
        explicit=inputs,
        suffixes=suffixes,
        below=found.below,
    )
    found.left_out.update(
        {"result of an earlier run": len(found.files) - len(tasks)} if len(tasks) < len(found.files) else {}
    )
    to_stdout = any(task.target == STREAM for task in tasks)
    if to_stdout and settings["as_json"]:
        raise WrongUsage("got both --json and a picture on standard output, expected one of them")
    files = Files(
        overwrite=settings["overwrite"],
        skip_existing=settings["skip_existing"],
        strip=settings["strip"] or settings["keep_profile"],
        keep_profile=settings["keep_profile"],
        quality=settings["quality"],
        max_pixels=settings["max_pixels"] or MAX_PIXELS,
        format=settings["format"],
        stdin=getattr(sys.stdin, "buffer", None) if any(task.source == STREAM for task in tasks) else None,
        stdout=binary_stdout() if to_stdout else None,
    )
    return files, tasks


def _folder_for(found: Inputs, output: str | None) -> str | None:
    """The output's name; that of a folder's results without a suffix is a folder's, however few there are."""
    if not output or output == STREAM or suffix_of(output) or "{" in output or output.endswith("/"):
        return output
    return f"{output}/" if found.has_folder else output


def _check_names(tasks: Sequence[Task], settings: dict[str, Any], check_name: Callable[[str], object]) -> None:
    """A suffix in -o that no format has is wrong usage; one that an input brings along is that file's failure."""
    if settings["output"] is None or settings["format"] is not None:
        return
    suffix = Path(settings["output"]).suffix
    for task in tasks if suffix or len(tasks) == 1 else ():  # else a folder's
        is_known = is_address(task.source) and suffix_of(task.source)
        is_there = task.source == STREAM or is_known or Path(task.source).exists()
        if task.target != STREAM and Path(task.target).suffix == suffix and is_there:  # else that is to be said
            check_name(task.target)


def _report(outcome: Outcome, warnings: Warnings | None, *, as_json: bool, quiet: bool) -> None:
    """Print a result's path and, unless they are to be told later, what there is to say about it."""
    if outcome.status == "done" and outcome.task.target != STREAM and not as_json:
        show_result(outcome.task.target)
    for warning in outcome.warnings:
        if warnings is not None:
            warnings.add(outcome.task.source, warning)
        elif not quiet:
            say(f"Warning: {warning}")


def _document(outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "files": [
            {
                "input": outcome.task.source,
                "output": outcome.task.target,
                "shape": list(outcome.shape),
                "dtype": outcome.dtype,
                "warnings": list(outcome.warnings),
                **outcome.details,
            }
            for outcome in outcomes
            if outcome.status == "done"
        ],
        "skipped": [outcome.task.source for outcome in outcomes if outcome.status == "skipped"],
        "errors": [
            {"input": outcome.task.source, "error": outcome.error} for outcome in outcomes if outcome.status == "failed"
        ],
    } | _estimates(outcomes)


def _estimates(outcomes: list[Outcome]) -> dict[str, Any]:
    found = [
        {"input": outcome.task.source, "output": outcome.task.target, **outcome.details}
        for outcome in outcomes
        if outcome.status == "estimated"
    ]
    return {"estimates": found} if found else {}


def _summary(counts: Counter[str], seconds: float) -> str:
    words = [f"{counts['done']} written"]
    words += [f"{counts['failed']} failed"] if counts["failed"] else []
    words += [f"{counts['skipped']} skipped (their output exists)"] if counts["skipped"] else []
    return f"{', '.join(words)} in {seconds:.1f} s"
