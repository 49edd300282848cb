"""The curves of a training, drawn with matplotlib: loss and accuracy by epoch, of training and of validation."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.atomic import write_whole
from convcli.errors import ConvcliError
from convcli.extras import install
from convcli.views.charts import MOST_MARKS, whole_ticks
from convcli.views.schemes import with_dark_scheme
from convcli.views.signs import typeset
from convcli.views.svg import INK

# Okabe and Ito's colours, which colour-blind people tell apart.
_TRAINED, _HELD = "#0072B2", "#D55E00"
# Colours that are said outright can follow a dark scheme; black that is left out cannot.
_SAID = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
_STYLE = dict.fromkeys(_SAID, INK)


def draw_curves(history: Sequence[Any], path: Path, *, title: str = "", overwrite: bool = False) -> None:
    """Draw a history of epochs into a .png, .svg or .pdf file.

    Parameters
    ----------
    history : sequence
        Rows with ``epoch``, ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``; the last two may be None.
    path : Path
        The file; it appears complete or not at all.
    title : str
        Above both plots.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    ConvcliError
        If matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        raise ConvcliError(f"plot: matplotlib is not installed; {install('plot')}") from None
    drawn = io.BytesIO()
    with rc_context(_STYLE):
        _figure(history, title).savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    content: bytes | str = drawn.getvalue()
    if path.suffix.lower() == ".svg":
        content = with_dark_scheme(drawn.getvalue().decode("utf-8"))
    write_whole(path, content, overwrite=overwrite)


def _figure(history: Sequence[Any], title: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    solid, dashed = ("o-", "s--") if len(epochs) <= MOST_MARKS else ("-", "--")
    for axes, name, label in ((left, "loss", "loss"), (right, "accuracy", "accuracy")):
        axes.plot(epochs, [getattr(row, name) for row in history], solid, color=_TRAINED, label="training")
        held = [getattr(row, f"val_{name}") for row in history]
        if None not in held:
            axes.plot(epochs, held, dashed, color=_HELD, label="validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.set_xticks(whole_ticks(epochs[0], epochs[-1]))
        axes.legend()
    right.yaxis.set_major_formatter(lambda value, place: f"{value:.1%}")
    if title:
        figure.suptitle(typeset(title))
    return figure
