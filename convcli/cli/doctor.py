"""`convcli doctor`: what a bug report needs."""

import dataclasses

import click

from convcli.cli import options
from convcli.cli.cache import cache_lines
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
        click.echo(json_text(dataclasses.asdict(found)))
        return
    for title, facts in (("versions", found.versions), ("machine", found.machine), ("threads", found.threads)):
        click.echo(title)
        for name, value in facts.items():
            click.echo(f"  {name:13}{value}")
    click.echo("cache")
    for line in cache_lines(found.cache):
        click.echo(f"  {line}")
