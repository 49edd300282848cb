"""`convcli cache`: the compiled loops."""

import click

from convcli.cli import Commands, options
from convcli.cli.printing import show, show_result
from convcli.cli.progress import progress_bar
from convcli.jobs.documents import json_text
from convcli.jobs.runtime import CacheReport, cache_report, clear_cache, warm_cache

WARMED = ("filter", "pool", "pad", "morph", "predict", "train", "volume", "signal")


@click.group(cls=Commands)
def command() -> None:
    """Look after the compiled loops: info, clear, warm.

    Loops are compiled the first time they are needed and kept in a folder of the user's, so that later runs start at
    once. NUMBA_CACHE_DIR names another folder.

    \b
    Examples:
      convcli cache info
      convcli cache warm
    """


@command.command("info")
@options.as_json
def info(as_json: bool) -> None:
    """Print where the compiled loops are, how many and how large.

    \b
    Examples:
      convcli cache info
      convcli cache info --json
    """
    report = cache_report()
    if as_json:
        show_result(json_text(vars(report)))
    else:
        show(*cache_lines(report))


@command.command("clear")
@options.as_json
def clear(as_json: bool) -> None:
    """Delete the compiled loops of every version.

    \b
    Examples:
      convcli cache clear
    """
    count = clear_cache()
    show_result(json_text({"deleted": count}) if as_json else f"{count} files deleted")


@command.command("warm")
@click.argument("names", nargs=-1, metavar="[COMMAND]...", type=click.Choice(WARMED))
@options.as_json
@options.quiet
def warm(names: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Compile the loops of all commands now, or of those named, for instance while an image of a machine is built.

    COMMAND is one or more of filter (also gallery, explain, kernel preview), pool, pad, morph, predict, train, volume
    and signal: what filter, pool, pad and morph do with volumes and signals. Uses all cores; what is there already is
    not compiled again, and what is done when it is interrupted stays.

    \b
    Examples:
      convcli cache warm
      convcli cache warm filter train
    """
    with progress_bar(hidden=quiet, elapsed=True) as advance:
        count = warm_cache(names, lambda what, done, total: advance(done, total, what))
    report = cache_report()
    found = {"compiled": count, "files": report.files}
    show_result(json_text(found) if as_json else f"{count} compiled, {report.files} files in the cache")


def cache_lines(report: CacheReport) -> list[str]:
    """What `cache info` and `doctor` print about the cache."""
    if report.folder is None:
        return [f"folder  none: {report.reason}"]
    return [f"folder  {report.folder} ({report.reason})", f"files   {report.files}, {report.bytes / 1e6:.1f} MB"]
