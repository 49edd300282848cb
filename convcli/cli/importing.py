"""`convcli import`: a network of another program as a model."""

import dataclasses

import click

from convcli.cli import options
from convcli.cli.completing import FILE, NETWORK
from convcli.cli.printing import say, show_result
from convcli.jobs.documents import json_text


@click.command()
@click.argument("source", metavar="FILE", type=FILE)
@click.option("-o", "--output", metavar="MODEL", help="The .safetensors file to write; named as FILE unless given.")
@click.option("--model", "network", metavar="NAME|FILE", type=NETWORK,
              help="Of weights: the network they are of, one of `convcli summary` or a .toml file.")  # fmt: skip
@click.option("--input", "size", type=options.Read("HxWxC", lambda text: _shape(text)),
              help="The size of one input, where the file leaves it open.")  # fmt: skip
@click.option("--classes", metavar="NAMES", help="The names of the outputs, with commas between.")
@click.option("--overwrite", is_flag=True, help="Let the output replace an existing file.")
@options.max_memory
@options.as_json
@options.quiet
def command(
    source: str, output: str | None, network: str | None, size: tuple[int, ...] | None, classes: str | None,
    overwrite: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Read a network of another program: ONNX, Keras, weights of PyTorch.

    FILE is an .onnx file, what Keras saves as .keras (or as a whole .h5), or a .safetensors file of weights that
    PyTorch gave names; these need --model, unless they are those of a shipped network. What is written gives the same
    outputs here. A layer that convcli lacks is named. Nothing is unpickled or executed.

    A network that ends with softmax or sigmoid tells classes apart, or marks; of another predict prints the numbers,
    unless --classes names them. One that gives maps makes masks or pictures.

    ONNX needs the onnx library (the extra onnx), Keras h5py (the extra keras).

    \b
    Examples:
      convcli import resnet.onnx
      convcli import digits.keras -o digits.safetensors
      convcli import weights.safetensors --model lenet5 -o lenet.safetensors
      convcli import net.onnx --classes cat,dog
    """
    from convcli.jobs.importing import import_model

    names = tuple(each.strip() for each in classes.split(",")) if classes else ()
    report = import_model(source, output, network=network, size=size, classes=names, overwrite=overwrite)
    if not quiet:
        for note in report.notes:
            say(f"Note: {note}")
    if as_json:
        show_result(json_text({**dataclasses.asdict(report), "path": str(report.path)}))
        return
    show_result(report.path)


def _shape(text: str) -> tuple[int, ...]:
    from convcli.architectures.values import shape

    try:
        return shape(text)
    except ValueError as error:
        raise ValueError(f"got {text!r}, expected {error}") from None
