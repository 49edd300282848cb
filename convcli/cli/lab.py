"""`convcli lab`: a page to play with, served on this machine."""

import webbrowser
from importlib.util import find_spec
from pathlib import Path

import click

from convcli.cli import options
from convcli.cli.completing import FILE
from convcli.cli.printing import say, show_result
from convcli.errors import ConvcliError
from convcli.extras import install
from convcli.jobs.documents import json_text

PORT = 8750


@click.command()
@click.argument("things", metavar="[IMAGE|MODEL|FOLDER]...", type=FILE, nargs=-1)
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, metavar="N",
              help="Where to listen; 0 takes any free port.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Let other machines in: an address of this one, or 0.0.0.0 for all of them.")  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Print the address only; open no browser.")
@options.threads
@options.max_memory
@options.as_json
@options.quiet
def command(
    things: tuple[str, ...], port: int, host: str, no_browser: bool, threads: int | None, as_json: bool, quiet: bool
) -> int:
    """Play with kernels, arithmetic, digits and training, on a page in your browser.

    The page comes from this machine and needs no network.

    \b
    Examples:
      convcli lab
      convcli lab photo.jpg
      convcli lab digits.safetensors --port 9000 --no-browser
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConvcliError(f"lab: {missing[0]} is not installed; {install('lab')}")
    from convcli.lab.app import Lab
    from convcli.lab.pictures import Pictures
    from convcli.lab.server import bind, serve

    own = Path(things[0]) if things else None
    lab = Lab(Pictures(own))
    bound = bind(host, port)
    options.start_loops(threads, quiet=quiet)
    if bound.is_open and not quiet:
        say(
            f"Warning: --host {host} lets whoever has the address use this machine's processor, over an unencrypted "
            "connection"
        )
    show_result(json_text({"address": bound.address, "port": bound.port}) if as_json else bound.address)
    if not quiet:
        say("Ctrl-C ends the lab")
    if not no_browser:
        webbrowser.open(bound.address)
    serve(lab, bound)
    return 0
