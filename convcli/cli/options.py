"""The shared vocabulary of options: one definition each, so that a word means the same in every command."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcli import budget
from convcli.addresses import local_name
from convcli.cli.library_warnings import TELLER
from convcli.cli.printing import say, show_live
from convcli.errors import ConvcliError, printable, suggestion

# Generic in click's annotations since 8.3, but older releases run too.
if TYPE_CHECKING:
    from convcli.images import Image
    from convcli.loops.compiling.waiting import Compiling

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

_LARGEST = 2**53  # beyond it a float holds no longer every whole number
Command = TypeVar("Command", bound=Callable[..., Any])


class Counts(ParamType):
    """``N`` or ``NxM``: one positive integer, or one per axis.

    With ``axes`` None the command learns the number of axes later: up to three numbers are passed on as they are.
    """

    name = "N|NxM"

    def __init__(self, axes: int | None = 2) -> None:
        self.axes = axes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse, spread over all axes, or fail with the form that was expected."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"\d{1,9}([xX,]\d{1,9})*", str(value).strip()):
            self.fail(f"got {value!r}, expected N or NxM: whole numbers from 1", param, ctx)
        counts = tuple(int(each) for each in re.split("[xX,]", str(value).strip()))
        if 0 in counts:
            self.fail(f"got {value!r}, expected numbers of at least 1", param, ctx)
        if self.axes is None and len(counts) <= 3:
            return counts
        if len(counts) not in (1, self.axes):
            self.fail(f"got {len(counts)} numbers in {value!r}, expected 1 or {self.axes or '2 or 3'}", param, ctx)
        return counts * (self.axes or 1) if len(counts) == 1 else counts


class Padding(ParamType):
    """``same``, ``valid``, ``full``, ``N`` or ``N,M`` (rows, columns); with ``axes`` 3 also ``N,M,K``."""

    name = "same|valid|full|N|N,M"

    def __init__(self, axes: int = 2) -> None:
        self.axes = axes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse into what `geometry.resolve_padding` takes, or fail with the form that was expected."""
        if not isinstance(value, str):
            return value
        word = value.strip().lower()
        if word in ("same", "valid", "full"):
            return word
        if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", word):
            self.fail(f"got {value!r}, expected same, valid, full, N or N,M", param, ctx)
        amounts = tuple(int(each) for each in word.split(","))
        if len(amounts) > self.axes:
            self.fail(f"got {len(amounts)} numbers in {value!r}, expected N or N,M (rows, columns)", param, ctx)
        return amounts[0] if len(amounts) == 1 else amounts


class NearChoice(click.Choice):  # type: ignore[type-arg]
    """One of some words, or another word for one; what is none of them is told which may be meant."""

    def __init__(self, choices: Sequence[str], case_sensitive: bool = True, aliases: Mapping[str, str] = {}) -> None:
        super().__init__(choices, case_sensitive)
        self.aliases = aliases

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word, or fail with those that are known and the nearest."""
        try:
            return super().convert(self.aliases.get(value, value), param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message.rstrip('.')}{suggestion(str(value), map(str, self.choices)) or '.'}", param, ctx)


class Read(ParamType):
    """Words that a function reads; what it refuses is wrong usage, in its own words but for the ``subject``."""

    def __init__(self, name: str, read: Callable[[Any], Any], subject: str = "") -> None:
        self.name = name
        self.read = read
        self.subject = subject

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What is read, or fail with what was expected."""
        try:
            return self.read(value)
        except (ConvcliError, ValueError) as error:
            self.fail(str(error).removeprefix(f"{self.subject}: "), param, ctx)


def _border(word: str) -> str:
    from convcli.ops.borders import resolve_border

    return resolve_border(word)


def _colour(text: str) -> tuple[float, ...]:
    from convcli.jobs.background import parse_colour

    return parse_colour(text)


def _bytes(value: Any) -> int:
    return value if isinstance(value, int) else budget.read_size(value)


class AtLeast(click.IntRange):
    """Whole numbers from one on, as long as all that is computed with them is exact."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with the largest that can be used."""
        number: int = super().convert(value, param, ctx)
        if number > _LARGEST:
            self.fail(f"got a number of {len(str(value))} digits, expected at most {_LARGEST:,}", param, ctx)
        return number


class WrongUsage(click.ClickException):
    """Wrong usage whose message says all that the help would."""

    exit_code = 2


def usage(call: Callable[[], Any]) -> Any:
    """Run a check of what the user typed: what it refuses is wrong usage (exit 2), not failed work."""
    try:
        return call()
    except ConvcliError as error:
        raise WrongUsage(str(error)) from error


def require_suffix(target: str, suffixes: Sequence[str], option: str = "output") -> None:
    """Refuse an output's name that ends in none of some suffixes, before any work is done for it."""
    if Path(target).suffix.lower() not in suffixes:
        raise WrongUsage(f"{option}: got {target!r}, expected a name that ends in {' or '.join(suffixes)}")


class MatrixCommand(click.Command):
    """A command that takes kernel SPECs: one that starts with a minus sign, ``-1 0 1``, is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join ``-k`` and a matrix that begins with a minus; put other such matrices behind ``--``."""
        options = [each for each in self.params if isinstance(each, click.Option) and not each.is_flag]
        valued = {name for option in options for name in option.opts}
        joined: list[str] = []
        loose: list[str] = []
        for word in args:
            if not re.match(r"-\s*[0-9.]", word) or "--" in joined:
                joined.append(word)
            elif joined and joined[-1] in valued:
                joined[-1] += f"={word}" if joined[-1].startswith("--") else word
            else:
                loose.append(word)
        return super().parse_args(ctx, joined + (["--", *loose] if loose and "--" not in joined else loose))


def chained(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one: the first stands first on the help page."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _completed(*names: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """What the shell is offered for an option: the names that begin so, or files where there are none."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        if not names:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


# Words that several commands take, with what differs between them: their default, or how a help says it.
def stride(
    axes: int | None = None, default: str | None = "1", help: str = "Step between windows."
) -> Callable[[Command], Command]:
    """``--stride``: N, or one number for each axis."""
    return click.option("--stride", type=Counts(axes), default=default, metavar="N|NxM", help=help)


def dilation(
    axes: int | None = None, default: str | None = "1", help: str = "Step between taps; 1 is dense."
) -> Callable[[Command], Command]:
    """``--dilation``: N, or one number for each axis."""
    return click.option("--dilation", type=Counts(axes), default=default, metavar="N|NxM", help=help)


def padding(axes: int = 2, default: str | None = None, help: str = "") -> Callable[[Command], Command]:
    """``--padding``: a word or numbers."""
    words: dict[str, Any] = {"default": default, "show_default": True} if default else {}
    return click.option("--padding", type=Padding(axes), metavar="WORD|N|N,M", help=help, **words)


def border(help: str, default: str | None = "reflect", type: Any = None) -> Callable[[Command], Command]:
    """``--border``: what lies beyond it."""
    words: dict[str, Any] = {"default": default, "show_default": True} if default else {}
    words["shell_complete"] = _completed("reflect", "symmetric", "edge", "wrap", "constant")
    return click.option("--border", type=type or Read("BORDER", _border, "border"), metavar="NAME", help=help, **words)


def border_value(
    name: str = "border_value", help: str = "The constant, in pixel units."
) -> Callable[[Command], Command]:
    """``--border-value``: of a constant border."""
    return click.option("--border-value", name, type=float, default=0.0, show_default=True, help=help)


def alpha(help: str) -> Callable[[Command], Command]:
    """``--alpha``: what an operation makes of it."""
    from convcli.jobs.output_policy import ALPHA

    return click.option("--alpha", type=click.Choice(ALPHA), default="premultiply", show_default=True, help=help)


def depth(command: Command) -> Command:
    """``--depth``: of the output."""
    from convcli.jobs.output_policy import DEPTHS

    text = "Bits per channel of the output. 8- and 16-bit pixels are scaled, floats 0..1; other integers keep numbers."
    return click.option("--depth", type=click.Choice(DEPTHS), default="same", show_default=True, help=text)(command)


convolve = click.option("--convolve", is_flag=True, help="Flip the kernel; without it, cross-correlation as given.")


def normalize(command: Command) -> Command:
    """``--normalize``: what a kernel is divided by."""
    from convcli.jobs.filter import NORMALIZE

    text = "Divide by the sum of the weights, or of their sizes; never by zero."
    return click.option("--normalize", type=click.Choice(NORMALIZE), default="none", show_default=True, help=text)(
        command
    )


output = click.option(
    "-o", "--output", metavar="OUT", help="A file, a folder/, a template with {stem} {kernel} {ext} {index}, or -.",
    shell_complete=_completed(), callback=lambda context, option, value: value and local_name(value),
)  # fmt: skip
recursive = click.option(
    "-r", "--recursive", is_flag=True, help="Of folders take the folders below too; -o FOLDER gets the same tree."
)
# Where what is written is one file.
looking_below = click.option("-r", "--recursive", is_flag=True, help="Of folders take the folders below too.")
watch = click.option("--watch", is_flag=True, help="Run again whenever an input changes or is new, until Ctrl-C.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace existing outputs.")
skip_existing = click.option("--skip-existing", is_flag=True, help="Leave out inputs whose output exists.")
strip = click.option("--strip", is_flag=True, help="Drop all metadata: profile, EXIF, comments ...")
keep_profile = click.option(
    "--keep-profile", is_flag=True, help="--strip, but for the colour profile, without which colours are others."
)
format_ = click.option(
    "--format",
    metavar="NAME",
    help="Output format where no file name tells: png, jpeg ...; or rawvideo.",
    shell_complete=_completed("png", "jpeg", "tiff", "webp", "avif", "gif", "npy", "rawvideo"),
)
quality = click.option(
    "--quality",
    type=click.IntRange(1, 100),
    metavar="1..100",
    help="Of JPEG, WebP, AVIF, HEIC, JP2, JXL; default: the input's own, else 95 (JPEG) or 90. 100 of AVIF, JP2, JXL "
    "lose nothing.",
)
background = click.option(
    "--background",
    type=Read("COLOUR", _colour, "background"),
    metavar="COLOUR",
    help="Lay the result on a colour instead of keeping alpha: white, #fff, #ffffff or 255,255,255.",
    shell_complete=_completed("white", "black", "grey"),
)
max_memory = click.option(
    "--max-memory",
    type=Read("SIZE", _bytes, "memory"),
    callback=lambda context, parameter, value: budget.limit_memory(value),
    expose_value=False,
    help="Refuse what needs more memory; of volumes do less at a time: 4G, 500M.  [default: half of the machine's]",
)
# Pixels are what a picture's header announces; what they and everything else cost is bytes.
max_pixels = chained(
    click.option(
        "--max-pixels",
        type=AtLeast(1),
        metavar="N",
        help="Refuse larger pictures: a guard against decompression bombs.",
    ),
    max_memory,
    click.option(
        "--key",
        metavar="NAME",
        callback=lambda context, parameter, value: _choose_array(value),
        expose_value=False,
        help="The array to read of an .npz that holds several.",
    ),
)
threads = click.option(
    "--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads for the loops; results never depend on it."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout.")


def _choose_array(key: str | None) -> None:
    if key is not None:
        from convcli.images.npz import choose

        choose(key)


def _hush(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    TELLER.is_quiet = TELLER.is_quiet or value
    return value


_QUIET: dict[str, Any] = {"is_flag": True, "is_eager": True, "callback": _hush}
quiet = click.option("-q", "--quiet", help="No progress, warnings or summary on stderr.", **_QUIET)


def hushing() -> click.Option:
    """``--quiet`` for a command that prints nothing of its own on stderr: it does not hear of it."""
    return click.Option(["-q", "--quiet"], help="No progress or warnings on stderr.", expose_value=False, **_QUIET)


# What commands take that make one picture or page of a picture.
one_result = chained(overwrite, max_pixels, threads, as_json, quiet)
# What every command that turns picture files into picture files takes.
# The first is apart because it belongs near the top of a help page.
rest_of_files = chained(
    recursive, watch, background, overwrite, skip_existing, format_, quality, strip, keep_profile, max_pixels, threads,
    as_json, quiet,
)  # fmt: skip


def start_loops(threads: int | None, *, quiet: bool = False) -> None:
    """Get ready to run loops on so many threads; says so where they have to be compiled first."""
    from convcli.jobs.runtime import prepare_loops, request_threads

    request_threads(threads)
    prepare_loops(threads, None if quiet else say_compiling)


def read_picture(name: str, max_pixels: int | None) -> "Image":
    """A picture file, or standard input."""
    from convcli.images import MAX_PIXELS, read

    return read(sys.stdin.buffer if name == "-" else name, max_pixels=max_pixels or MAX_PIXELS)


def title_of(name: str) -> str:
    """What a picture file, or standard input, is called where it is shown."""
    return "standard input" if name == "-" else Path(name).name


def check_picture(target: str, *, overwrite: bool, sources: Sequence[str] = ()) -> None:
    """Refuse a picture's name before any work is done for it; wrong usage are one of the ``sources``, and a suffix
    that no format has."""
    from convcli.images import check_target, format_of
    from convcli.jobs.inputs import check_apart

    usage(lambda: format_of(target))
    usage(lambda: check_apart(target, sources))
    check_target(Path(target), overwrite=overwrite)


def say_compiling(state: "Compiling") -> None:
    """The line that explains why a first run takes seconds: it lives on a terminal, and is said once elsewhere."""
    if TELLER.is_quiet:
        return
    words = f"compiling loops{' for ' * bool(state.what)}{printable(state.what)}"
    # A bar of rich's takes over what else is written, line by line.
    if sys.stderr.isatty() and not type(sys.stderr).__module__.startswith("rich"):
        far = f"{words}: {min(state.done + 1, state.total)} of {state.total}, {state.seconds:.0f} s"
        show_live("" if state.over else far)
    elif not state.done and not state.over and not _SAID:
        _SAID.append(words)
        say(f"{words}{f': {state.total}' * (state.total > 1)} (first run only)")


_SAID: list[str] = []  # standard error is no terminal, and has been told


def binary_stdout() -> Any:
    """Standard output for a picture; refused on a terminal."""
    if sys.stdout is None:
        raise WrongUsage("standard output: is closed, expected a pipe or a file")
    if sys.stdout.isatty():
        raise WrongUsage("standard output: is a terminal, expected a pipe or a file (… -o - > picture.png)")
    return sys.stdout.buffer
