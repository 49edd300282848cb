"""`convcli doctor`: what a bug report needs."""

import dataclasses

import click

from convcli.cli import options
from convcli.cli.cache import cache_lines
from convcli.cli.printing import show, show_result
from convcli.jobs.documents import json_text
from convcli.jobs.runtime import examine


@click.command()
@options.as_json
def command(as_json: bool) -> None:
    """Print versions, threads, cache and processor: what a bug report needs.

    \b
    Examples:
      convcli doctor
      convcli doctor --json
    """
    found = examine()
    if as_json:
        show_result(json_text(dataclasses.asdict(found)))
        return
    for title in ("versions", "machine", "threads", "loops"):
        show(title)
        for name, value in getattr(found, title).items():
            show(f"  {name.replace('_', ' '):13}{value}")
    show("cache")
    show(*(f"  {line}" for line in cache_lines(found.cache)))
