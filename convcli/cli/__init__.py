"""The command line: one module per command, its options, its printing, and nothing else.

The list of commands and their one-line helps are static, so that ``convcli --help`` imports no command at all; a
command's module, and with it numpy, is imported when the command is named.
"""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from convcli import ConvcliError, __version__
from convcli.cli.library_warnings import TELLER
from convcli.cli.printing import say
from convcli.errors import shortened, suggestion

# Command -> (module in convcli.cli that defines `command`, its line in `convcli --help`).
COMMANDS = {
    "filter": ("filter", "Filter images with kernels: blur, sharpen, find edges, or your own matrix."),
    "pool": ("pool", "Pool images: the largest, the mean, or another number of each window."),
    "pad": ("pad", "Pad images with a constant, their edge, or a mirror image."),
    "morph": ("morph", "Grow, shrink, open or close bright areas of images."),
    "gallery": ("gallery", "Show what kernels do to your pictures, on one sheet."),
    "compare": ("compare", "Compare two pictures: how far apart, how alike, and where they differ."),
    "lab": ("lab", "Play with kernels, arithmetic, digits and training, on a page in your browser."),
    "explain": ("explain", "Show how each output pixel is made, on a page to play with."),
    "animate": ("animate", "Animate convolution, transposed convolution and pooling."),
    "toeplitz": ("toeplitz", "Write a correlation as a matrix, and multiply with it."),
    "equivariance": ("equivariance", "Measure whether a shift of the input shifts the output."),
    "recipe": ("recipe", "List recipes: kernels and options of convcli filter under a name."),
    "kernel": ("kernel", "List the kernel library; show one kernel as a matrix."),
    "shape": ("shape", "Print what comes out of a layer, or of a chain of layers."),
    "summary": ("summary", "Print the layers of a network: shapes, parameters, multiply-adds, memory."),
    "receptive": ("receptive", "Show what a unit of a network sees, layer by layer."),
    "gradcheck": ("gradcheck", "Prove the gradients of layers, or of a network, by finite differences."),
    "train": ("train", "Train a network on images, and write the model."),
    "evaluate": ("evaluate", "Measure a trained model: accuracy, loss, every class, what is taken for what."),
    "predict": ("predict", "Tell what pictures show, with a trained model."),
    "features": ("features", "Draw what every layer of a trained network makes of a picture."),
    "filters": ("filters", "Draw the learned filters of a trained network's layer."),
    "saliency": ("saliency", "Show where a trained network looks: what in a picture speaks for a class."),
    "report": ("report", "Write a page about a trained model: curves, confusion, mistakes, filters."),
    "export": ("export", "Write a trained model as ONNX, for other programs."),
    "import": ("importing", "Read a network of another program: ONNX, Keras, weights of PyTorch."),
    "data": ("data", "Data sets for training: list them, fetch them, say where they lie."),
    "bench": ("bench", "Measure convcli on this machine, beside every peer that is installed."),
    "cache": ("cache", "Look after the compiled loops: info, clear, warm."),
    "doctor": ("doctor", "Print versions, threads, cache and processor: what a bug report needs."),
    "completion": ("completion", "Teach your shell the commands, kernels, networks and data sets."),
    "help": ("help", "Show the help of a command; write all of them as man pages."),
}

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


class Commands(click.Group):
    """A group whose commands all know -q, and which tells what may be meant by a word that names none."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, whose choices know near words; where nothing else hears of -q, warnings do."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not isinstance(command, click.Group):
            from convcli.cli.options import NearChoice, hushing

            for parameter in command.params:
                if type(parameter.type) is click.Choice:
                    parameter.type = NearChoice(parameter.type.choices, parameter.type.case_sensitive)
            if not any("-q" in parameter.opts for parameter in command.params):
                command.params.append(hushing())
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that the first word names, or fail with the one that is meant."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            from convcli.cli.hints import unknown_command

            near = suggestion(args[0], known) or f", expected one of {', '.join(known)}"
            meant = unknown_command(args[0]) if ctx.parent is None else None
            raise click.UsageError(meant or f"command: got {shortened(args[0])}{near}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Commands):
    """A group whose commands are imported when they are named, never to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that defines a command."""
        if cmd_name in COMMANDS:
            self.commands[cmd_name] = import_module(f"convcli.cli.{COMMANDS[cmd_name][0]}").command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; when the reader of stdout has gone (`… kernel list | head -1`), stop without an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the static one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="convcli")
def group() -> None:
    """Convolution from the command line.

    \b
    Examples:
      convcli filter photo.jpg --kernel sharpen
      convcli kernel show sobel-x

    Rows come before columns, and both count from 0: sizes are HxW, places Y,X. -k is a kernel, -o what is written.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted."""
    # Imports make many objects and no garbage: looking for some all the time took 0.08 s of a filter's 0.6 s.
    gc.set_threshold(100_000, 50, 50)
    code = run(arguments)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        if not code:  # else that is told, or something worse
            say(f"Error: standard output: {_one_line(error)}")
        code = code or 1
    # All work is done and every file closed; to take numba and LLVM apart once more would take 0.12 s.
    os._exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    TELLER.begin()
    words = sys.argv[1:] if arguments is None else arguments
    code, message = _outcome(words)
    if not message:
        return code
    if "--json" in words:  # stdout has one document, whatever happens
        from convcli.cli.printing import show_result
        from convcli.jobs.documents import json_text

        with suppress(BrokenPipeError):
            show_result(json_text({"error": message.strip(), "exit_code": code}))
    say(f"Error: {message.strip()}")
    return code


def _outcome(words: list[str]) -> tuple[int, str]:
    """Run the command line: its exit code, and what went wrong with all of it."""
    if npz := sys.modules.get("convcli.images.npz"):
        npz.choose(None)  # of a run before
    try:
        _check_words(words)
        result: Any = group.main(args=words, prog_name="convcli", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if not code and (npz := sys.modules.get("convcli.images.npz")) and npz.not_asked() and not TELLER.is_quiet:
            say(f"Warning: --key {shortened(npz.not_asked())}: no .npz was read, whose arrays have names")
        return code, ""
    except click.exceptions.Exit as stop:
        return stop.exit_code, ""
    except click.exceptions.NoArgsIsHelpError as error:
        say(*error.format_message().splitlines())
        return 2, ""
    except click.UsageError as error:
        hint = f" (see: {error.ctx.command_path} --help)" if error.ctx else ""
        said = error.format_message().replace(",\n\t", ", ").replace("\n\t", " ")  # choices, one below the other
        return 2, f"{said}{_hint(error, words)}{hint}"
    except click.ClickException as error:
        return error.exit_code, f"{error.format_message()}{_hint(error, words)}"
    except (KeyboardInterrupt, click.Abort) as stop:
        # Click raises its own from the interrupt, which may say how to go on.
        return 130, str(stop.__cause__ or "") or "interrupted; nothing half-written was left"
    except Exception as error:
        if os.environ.get("CONVCLI_DEBUG") == "1":
            raise
        return 1, _one_line(error)
    finally:
        if telling := sys.modules.get("convcli.jobs.compiling"):
            telling.on_compiling(None)  # what a command says while loops are compiled ends with it


def _check_words(words: list[str]) -> None:
    """Refuse what no file, folder or kernel can be called; a name that is only not UTF-8 is fine."""
    for word in words:
        try:
            strange = "a zero byte" if b"\0" in os.fsencode(word) else ""
        except UnicodeEncodeError:
            strange = "half of a surrogate pair"
        if strange:
            raise click.UsageError(f"got {strange} in '{word[:60]}', expected characters that a name can have")


def _hint(error: click.ClickException, words: list[str]) -> str:
    from convcli.cli.hints import hint

    return hint(error, words)


def _one_line(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        from convcli.cli.hints import missing_file

        return missing_file(os.fsdecode(error.filename))
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    if isinstance(error, ConvcliError | OSError | MemoryError):
        return str(error) or type(error).__name__
    return f"internal error ({type(error).__name__}: {error}); CONVCLI_DEBUG=1 shows where"
