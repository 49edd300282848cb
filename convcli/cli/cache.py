"""`convcli cache`: the compiled loops."""

import click

from convcli.cli import Commands, options
from convcli.cli.printing import show, show_result
from convcli.cli.progress import progress_bar
from convcli.jobs.documents import json_text, named
from convcli.jobs.runtime import CacheReport, cache_report, clear_cache, clear_everything, warm_cache

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
@click.option("--all", "everything", is_flag=True, help="Downloaded data sets and empty folders too: all of convcli's.")
@options.as_json
def clear(everything: bool, as_json: bool) -> None:
    """Delete the compiled loops of every version, or all that convcli keeps, and say how much that was.

    --all is for an end: it leaves nothing of convcli's in your cache folder. Data that lie elsewhere (--data-dir,
    CONVCLI_DATA_DIR) stay, and so do your own files. Whatever is needed later is compiled and fetched anew.

    \b
    Examples:
      convcli cache clear
      convcli cache clear --all
    """
    cleared = clear_everything() if everything else clear_cache()
    if as_json:
        told = {"deleted": cleared.files, "bytes": cleared.bytes}
        told |= named(cleared, "loops", "data", "folders", "kept") if everything else {}
        show_result(json_text(told))
        return
    show(f"{cleared.files} files deleted, {_size(cleared.bytes)}")
    if everything:
        show(
            f"loops    {cleared.loops}, {_size(cleared.loops_bytes)}",
            f"data     {cleared.data}, {_size(cleared.data_bytes)}",
        )
        show(*(f"folder   {each} is gone" for each in cleared.folders), *(f"not ours {each}" for each in cleared.kept))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


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
    return [f"folder  {report.folder} ({report.reason})", f"files   {report.files}, {_size(report.bytes)}"]
