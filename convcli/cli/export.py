"""`convcli export`: a trained model for other programs."""

import dataclasses

import click

from convcli.cli import options
from convcli.cli.completing import MODEL
from convcli.cli.printing import show_result
from convcli.jobs.documents import json_text


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.option("-o", "--output", metavar="FILE.onnx", help="The file to write; MODEL's name with .onnx unless given.")
@click.option("--layout", type=click.Choice(["nhwc", "nchw"]),
              help="Of input and output; that of the network, usually nhwc, unless given.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Let the output replace an existing file.")
@options.max_memory
@options.as_json
def command(model: str, output: str | None, layout: str | None, overwrite: bool, as_json: bool) -> None:
    """Write a trained model as ONNX, for other programs.

    MODEL is a .safetensors file written by convcli train. The network takes floats of 0 to 1, batches of any size, and
    gives what convcli predict sees: probabilities. Dropout and heads vanish. The file's metadata hold the classes, the
    preparation of pictures, and the whole card of the model.

    It needs the onnx library: the extra onnx, or pip install onnx.

    \b
    Examples:
      convcli export mnist.safetensors
      convcli export mnist.safetensors -o digits.onnx --layout nchw
    """
    from convcli.jobs.export import export

    report = export(model, output, layout=layout, overwrite=overwrite)
    if as_json:
        document = dataclasses.asdict(report)
        show_result(json_text({**document, "path": str(report.path)}))
        return
    show_result(report.path)
