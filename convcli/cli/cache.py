"""`convcli cache`: the compiled loops."""

import sys

import click

from convcli.cli import options
from convcli.cli.printing import say, show, show_result
from convcli.jobs.documents import json_text
from convcli.jobs.runtime import CacheReport, cache_report, clear_cache, warm_cache


@click.group()
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
@options.as_json
def warm(as_json: bool) -> None:
    """Compile the loops of the common filters now, for instance while an image of a machine is built.

    \b
    Examples:
      convcli cache warm
    """

    def announce(step: str) -> None:
        if sys.stderr.isatty():
            say(f"compiling {step}")

    count = warm_cache(announce)
    show_result(json_text({"files": count}) if as_json else f"{count} files in the cache")


def cache_lines(report: CacheReport) -> list[str]:
    """What `cache info` and `doctor` print about the cache."""
    if report.folder is None:
        return [f"folder  none: {report.reason}"]
    return [f"folder  {report.folder} ({report.reason})", f"files   {report.files}, {report.bytes / 1e6:.1f} MB"]
