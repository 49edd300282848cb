"""Options of what goes beyond one process: who works, in which blocks, which share, and what it would cost."""

from typing import TYPE_CHECKING, Any

import click

from convcli.cli.options import Counts, Read, WrongUsage, chained

if TYPE_CHECKING:
    from convcli.jobs.scaling import Scaling


def _part(text: str) -> tuple[int, int]:
    from convcli.jobs.scaling import read_part

    return read_part(text)


def _levels(text: str) -> Any:
    if text == "same":
        return text
    from convcli.jobs.scaling import read_levels

    return read_levels(text)


_WORKERS = (
    click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Work in so many processes."),
    click.option("--cluster", metavar="ADDRESS", help="Work on a Dask cluster: its scheduler, as in tcp://host:8786."),
)
_OPTIONS = (
    *_WORKERS,
    click.option(
        "--resume", is_flag=True,
        help="Of Zarr: go on with what was interrupted or killed. Of over 10,000 files changes may go unnoticed.",
    ),
    click.option(
        "--part", type=Read("K/N", _part, "part"), metavar="K/N",
        help="Of Zarr: only this share of all blocks, for jobs that know nothing of each other.",
    ),
    click.option(
        "--block", type=Counts(None), metavar="N|NxMxK", help="Of Zarr: the least sides of what is done at once."
    ),
    click.option(
        "--levels", type=Read("WORD", _levels, "levels"), default="same", show_default=True, metavar="same|none|N",
        help="Of OME-Zarr: the coarser levels of the result, or how many in all.",
    ),
    click.option("--estimate", is_flag=True, help="Say what it would cost, and do nothing."),
)  # fmt: skip
WORDS = ("workers", "cluster", "resume", "part", "block", "levels", "estimate")


# ``--workers`` and all that goes with it; those two alone.
options = chained(*_OPTIONS)
workers = chained(*_WORKERS)


def who_works(workers: int | None, cluster: str | None) -> "Scaling":
    """What those two say; both are wrong usage."""
    from convcli.jobs.scaling import Scaling

    return Scaling(*workers_of({"workers": workers, "cluster": cluster}))


def scaling_of(settings: dict[str, Any]) -> "Scaling":
    """What those options say; two kinds of workers are wrong usage."""
    from convcli.jobs.scaling import Scaling

    workers, cluster = workers_of(settings)
    block = settings["block"] or ()
    return Scaling(
        workers, cluster, block * 3 if len(block) == 1 else block, settings["resume"], settings["part"],
        settings["levels"],
    )  # fmt: skip


def workers_of(settings: dict[str, Any]) -> tuple[int, str]:
    """How many processes, and which cluster; both are wrong usage."""
    if settings["workers"] and settings["cluster"]:
        raise WrongUsage("got both --workers and --cluster, expected one of them")
    return settings["workers"] or 0, settings["cluster"] or ""


def check_plain(settings: dict[str, Any], carrier: str) -> None:
    """Refuse those words for what is done in one process."""
    given = [f"--{word}" for word in WORDS if settings[word] not in (None, False, "same")]
    if given:
        raise WrongUsage(f"{given[0]}: got {carrier}, expected pictures, or a volume that becomes Zarr")


def check_pictures(settings: dict[str, Any]) -> None:
    """Refuse the words that are for Zarr alone, and those that pictures of many processes cannot have."""
    zarr = [f"--{word}" for word in WORDS[2:-1] if settings[word] not in (None, False, "same")]
    if zarr:
        fix = "--skip-existing goes on" if zarr[0] == "--resume" else "leave it out"
        raise WrongUsage(f"{zarr[0]}: got pictures, expected a Zarr store; {fix}")
    if (settings["workers"] or settings["cluster"]) and settings.get("preview") is not None:
        raise WrongUsage("--preview: got it with workers, expected one of them")
