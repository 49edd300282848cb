"""A film's frames as lines of text for the terminal. Standard library only."""

from convcli.views.animation import Film, Frame, short, short_weight

_GAP = "    "
_SIGNS = {"input": "o", "padding": ".", "zero": "0"}
# 256-colour backgrounds: the window blue, the current output orange. Brackets say the same without colour.
_TAP, _CURRENT, _END = "\x1b[48;5;24m\x1b[97m", "\x1b[48;5;172m\x1b[30m", "\x1b[0m"


def frame_lines(film: Film, index: int, *, width: int = 80, colour: bool = False) -> list[str]:
    """One frame, its grids side by side where ``width`` columns allow it, else one below the other.

    Cells under the window stand in brackets.
    """
    frame = film.frames[index]
    blocks = [_left(film, frame, colour)]
    if film.weights is not None:
        blocks.append(_block([[short_weight(weight) for weight in row] for row in film.weights], set(), ""))
    blocks.append(_output(film, index, colour))
    heads = [film.captions[0], *([film.captions[1]] if film.weights is not None else []), film.captions[2]]
    row, column = frame.position
    lines = [f"step {index + 1} of {len(film.frames)}: output row {row}, column {column}"]
    columns = [max(len(head), size) for head, (size, _) in zip(heads, blocks, strict=True)]
    if sum(columns) + len(_GAP) * (len(blocks) - 1) <= width:
        height = max(len(block) for _, block in blocks)
        lines.append(_GAP.join(head.ljust(size) for head, size in zip(heads, columns, strict=True)).rstrip())
        for line in range(height):
            parts = [
                (block[line] if line < len(block) else " " * plain) + " " * (size - plain)
                for size, (plain, block) in zip(columns, blocks, strict=True)
            ]
            lines.append(_GAP.join(parts).rstrip())
    else:
        for head, (_, block) in zip(heads, blocks, strict=True):
            lines += [head, *block]
    return [*lines, *([frame.arithmetic] if film.has_values else [])]


def _left(film: Film, frame: Frame, colour: bool) -> tuple[int, list[str]]:
    taps = {cell for cell, _ in frame.taps}
    texts = [
        [short(film.numbers[y][x]) if film.numbers and kind == "input" else _SIGNS[kind] for x, kind in enumerate(row)]
        for y, row in enumerate(film.kinds)
    ]
    return _block(texts, taps, _TAP if colour else "")


def _output(film: Film, index: int, colour: bool) -> tuple[int, list[str]]:
    done = {frame.position: frame.value for frame in film.frames[: index + 1]}
    widest = [short(frame.value) for frame in film.frames if frame.value is not None]
    texts = [[_output_text(done, (row, column)) for column in range(film.output[1])] for row in range(film.output[0])]
    return _block(texts, {film.frames[index].position}, _CURRENT if colour else "", max(map(len, widest), default=1))


def _output_text(done: dict[tuple[int, int], float | None], cell: tuple[int, int]) -> str:
    if cell not in done:
        return "."
    value = done[cell]
    return "o" if value is None else short(value)


def _block(texts: list[list[str]], marked: set[tuple[int, int]], code: str, least: int = 1) -> tuple[int, list[str]]:
    """Columns that the block takes, and its lines; marked cells stand in brackets and in a colour if there is one."""
    size = max(least, *(len(text) for row in texts for text in row))
    lines = []
    for y, row in enumerate(texts):
        cells = []
        for x, text in enumerate(row):
            is_marked = (y, x) in marked
            padded = f"[{text.rjust(size)}]" if is_marked else f" {text.rjust(size)} "
            cells.append(f"{code}{padded}{_END}" if is_marked and code else padded)
        lines.append("".join(cells))
    return (size + 2) * len(texts[0]), lines
