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

    The page comes from this machine, needs no network, and shows what the other commands compute. It has four rooms,
    each with the command that makes the same thing:

    \b
      Kernel      your picture, a kernel whose weights you drag, the result beside
                  it, and any pixel's window, products and sum
      Arithmetic  windows that slide: sizes, stride, padding, dilation; chains of
                  layers and what their units see
      Digit       draw one; what a network makes of it layer by layer, and any
                  number of any layer taken apart
      Train       a training whose curves, filters and hardest examples change
                  epoch by epoch

    IMAGE is the picture to begin with, MODEL a .safetensors file for the digits, FOLDER your own pictures to train on,
    one sub-folder for each class; a file of arrays (.npz, .csv) will do as well.

    \b
    Examples:
      convcli lab
      convcli lab photo.jpg
      convcli lab mnist.safetensors --port 9000 --no-browser
      convcli lab photo.jpg pets.safetensors pets/

    Only this machine can reach it, unless --host says otherwise, and only with the address that is printed, which holds
    a secret. What pages send stays in memory and is never written; no file can be read through it. Ctrl-C ends it.
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConvcliError(f"lab: {missing[0]} is not installed; {install('lab')}")
    from convcli.lab.app import Lab
    from convcli.lab.pictures import Pictures
    from convcli.lab.server import bind, serve

    given = _sorted(things)
    lab = Lab(Pictures(given.get("image")), model=given.get("model"), data=given.get("data"))
    options.start_loops(threads, quiet=quiet)
    lab.digits.models()  # a model that is none is told at once
    bound = bind(host, port)
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


def _sorted(things: tuple[str, ...]) -> dict[str, str]:
    """Which is the picture, the model and the data; at most one of each."""
    found: dict[str, str] = {}
    for thing in things:
        suffix = Path(thing).suffix.lower()
        is_data = Path(thing).is_dir() or suffix in (".npz", ".csv")
        kind = "data" if is_data else "model" if suffix == ".safetensors" or thing == "shipped" else "image"
        if kind in found:
            raise options.WrongUsage(f"got two of a kind, {found[kind]} and {thing}, expected one {kind}")
        found[kind] = thing
    return found
