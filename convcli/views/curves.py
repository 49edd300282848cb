"""The curves of a training, drawn with matplotlib: loss and accuracy by epoch, of training and of validation."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.atomic import write_whole
from convcli.errors import ConvcliError
from convcli.extras import install

# Okabe and Ito's colours, which colour-blind people tell apart.
_TRAINED, _HELD = "#0072B2", "#D55E00"


def draw_curves(
    history: Sequence[Any], path: Path, *, title: str = "", label_smoothing: float = 0.0, overwrite: bool = False
) -> None:
    """Draw a history of epochs into a .png, .svg or .pdf file.

    Parameters
    ----------
    history : sequence
        Rows with ``epoch``, ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``; the last two may be None.
    path : Path
        The file; it appears complete or not at all.
    title : str
        Above both plots.
    label_smoothing : float
        Of the ``loss``.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    ConvcliError
        If matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConvcliError(f"plot: matplotlib is not installed; {install('plot')}") from None
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    smoothed = f", label smoothing {label_smoothing:g}" if label_smoothing else ""
    for axes, name, more in ((left, "loss", smoothed), (right, "accuracy", "")):
        axes.plot(epochs, [getattr(row, name) for row in history], "o-", color=_TRAINED, label=f"training set{more}")
        held = [getattr(row, f"val_{name}") for row in history]
        if None not in held:
            axes.plot(epochs, held, "s--", color=_HELD, label="held out")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    right.yaxis.set_major_formatter(lambda value, place: f"{value:.1%}")
    if title:
        figure.suptitle(title)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, drawn.getvalue(), overwrite=overwrite)
