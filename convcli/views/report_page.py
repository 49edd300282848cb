"""The page of `convcli report`: one file of HTML with its style and its pictures; it has no script and loads nothing.

What it shows is a `ReportPage` of plain values; every text is escaped here.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from convcli.architectures.card import measure_in_words, number_in_words
from convcli.views.charts import chart
from convcli.views.parts import filled, part
from convcli.views.signed import css_scale

_STRONGEST = 72  # percent of a colour below a text that has to stay readable
_FLAT_NAME = 8  # letters of a class's name that lie flat above a column of the confusion matrix


@dataclass(frozen=True)
class Picture:
    """A picture in a page: PNG bytes, and what it shows in words."""

    png: bytes
    text: str


@dataclass(frozen=True)
class Filters:
    """A layer's filters: their picture, a title, notes, and the end of the signed scale, empty if there is none."""

    picture: Picture
    title: str
    notes: tuple[str, ...]
    largest: str


@dataclass(frozen=True)
class Answers:
    """How a network for another task did: a table by class or number, and the worst samples, as pictures and numbers.

    ``measured`` is what all that is of; ``pictures`` have a name and what was measured of them.
    """

    measured: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    worst_head: Sequence[str]
    worst: Sequence[Sequence[str]]
    pictures: Sequence[tuple[Picture, str, str]]


@dataclass(frozen=True)
class ReportPage:
    """What the page shows; parts that are None are left out, and ``missing`` says why.

    Parameters
    ----------
    numbers:
        The figures at the top: name and number.
    history:
        For each epoch ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.
    label_smoothing:
        Of the ``loss`` in it.
    classes:
        Names.
    confusion:
        (K, K) counts: row the truth, column what the network said.
    scores:
        For each class: count, precision, name, recall; precision and recall are shares of 1, or None for 0 of 0.
    mistakes:
        A picture, its true class with its probability, the class it was taken for with its own.
    measured:
        What the confusion, the scores and the mistakes are of.
    layers:
        Rows of the architecture's table: layer, output, parameters, multiply-adds, memory, field.
    calibration:
        Of each range of probabilities: how sure the answers are, how often they are right, both shares, and how many.
    answers:
        Of a network that does not tell classes apart, instead of all that is of classes.
    facts, recipe:
        Names and values; the last one's ``command`` is shown as code.
    """

    title: str
    numbers: Sequence[tuple[str, str]]
    history: Sequence[Mapping[str, float]]
    label_smoothing: float
    classes: Sequence[str]
    confusion: Sequence[Sequence[int]] | None
    confused: Sequence[tuple[str, str, int]]
    scores: Sequence[tuple[str, float | None, str, float | None]]
    mistakes: Sequence[tuple[Picture, tuple[str, str], tuple[str, str]]]
    mistakes_in_all: int
    measured: str
    missing: str
    filters: Filters | None
    header: Sequence[str]
    layers: Sequence[Sequence[str]]
    facts: Sequence[tuple[str, str]]
    recipe: Sequence[tuple[str, str]]
    footer: str
    calibration: Sequence[tuple[float, float, int]] = ()
    answers: Answers | None = None


def page(shown: ReportPage) -> str:
    """The text of a self-contained HTML file."""
    architecture = _section("Architecture", _table(shown.header, shown.layers) + _facts(shown.facts))
    recipe = _section("How it was made", _facts(shown.recipe))
    sections = [_curves(shown), _measured(shown), _filters(shown), architecture, recipe]
    marks = {
        "{{title}}": escape(shown.title),
        "/*style*/": part("report.css"),
        "{{head}}": _numbers(shown.numbers),
        "{{sections}}": "\n".join(filter(None, sections)),
        "{{footer}}": escape(shown.footer),
    }
    return filled("report.html", marks)


def _numbers(numbers: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in numbers)
    return f'<dl class="numbers">{items}</dl>'


def _curves(shown: ReportPage) -> str:
    if not shown.history:
        return _section("Curves", '<p class="quiet">The model file holds no history of its training.</p>')
    charts = []
    known = ("loss", "accuracy", "val_loss", "val_accuracy")
    others = [key for key in shown.history[0] if key.startswith("val_") and key not in known]
    measures = [("loss", "Loss"), ("accuracy", "Accuracy")]
    measures += [(key.removeprefix("val_"), measure_in_words(key).capitalize()) for key in others]
    for name, title in measures:
        series = []
        smoothed = f", label smoothing {shown.label_smoothing:g}" if name == "loss" and shown.label_smoothing else ""
        for key, label in ((name, f"training set{smoothed}"), (f"val_{name}", "held out")):
            points = [(row["epoch"], row[key]) for row in shown.history if key in row and "epoch" in row]
            series += [(label, points)] if points else []
        written = (lambda share: f"{100 * share:.4g}%") if name == "accuracy" else "{:.3g}".format
        charts += [chart(title, series, across="epoch", shown=written)] if series else []
    figures = "".join(f'<figure class="chart">{each}</figure>' for each in charts)
    keys = [key for key in ("epoch", *known, *others) if key in shown.history[0]]
    rows = [[number_in_words(key, row.get(key)) for key in keys] for row in shown.history]
    numbers = _table([measure_in_words(key) for key in keys], rows, first="right")
    smoothed = f", its loss with label smoothing {shown.label_smoothing:g}" if shown.label_smoothing else ""
    lead = f"<p>The training set as it was learned{smoothed}; held-out images, where there are any, as they are.</p>"
    details = f"<details><summary>The numbers</summary>{numbers}</details>"
    return _section("Curves", f'{lead}<div class="charts">{figures}</div>{details}')


def _measured(shown: ReportPage) -> str:
    if shown.answers is not None:
        return _answered(shown.answers)
    if shown.missing:
        text = f"Confusion matrix, classes and mistakes are left out: {shown.missing}"
        return _section("What is taken for what", f'<p class="quiet">{escape(text)}</p>')
    parts = [_section("What is taken for what", _confusion(shown)), _section("Classes", _scores(shown))]
    parts += [_section("How sure it is", _calibration(shown))] if shown.calibration else []
    return "\n".join([*parts, _section("The worst mistakes", _mistakes(shown))])


def _answered(answers: Answers) -> str:
    parts = [_section("Measured", f"<p>On {escape(answers.measured)}.</p>" + _table(answers.head, answers.rows))]
    if not answers.rows:
        parts = []
    if answers.pictures:
        lead = f"<p>The sample, the truth and the answer, on {escape(answers.measured)}; the worst first.</p>"
        items = "".join(
            f"<li><figure>{_image(picture)}<figcaption>{escape(name)}<br>{escape(measured)}</figcaption></figure></li>"
            for picture, name, measured in answers.pictures
        )
        parts.append(_section("The worst answers", f'{lead}<ul class="mistakes wide">{items}</ul>'))
    parts.append(_section("The worst in numbers", _table(answers.worst_head, answers.worst)))
    return "\n".join(parts)


def _calibration(shown: ReportPage) -> str:
    lead = (
        "<p>Of answers as sure as this, so many are right: on the dashed line the network is as sure as it should be, "
        "below it too sure.</p>"
    )
    points = [(100 * sure, right) for sure, right, _ in shown.calibration]
    ends = (points[0][0], points[-1][0])
    series = [("right", points), ("as sure as right", [(each, each / 100) for each in ends])]
    drawn = chart("Calibration", series, across="probability in percent", shown=lambda share: f"{100 * share:.4g}%")
    rows = "".join(
        f"<li>{count:,} pictures with {sure:.1%} on the mean: {right:.1%} are right</li>"
        for sure, right, count in shown.calibration
    )
    return (
        f'{lead}<div class="charts"><figure class="chart">{drawn}</figure></div>'
        f"<details><summary>The numbers</summary><ul>{rows}</ul></details>"
    )


def _confusion(shown: ReportPage) -> str:
    if shown.confusion is None:
        rows = [[true, taken, f"{count:,}"] for true, taken, count in shown.confused]
        lead = f"<p>{len(shown.classes)} classes are too many for a matrix; these are confused most often.</p>"
        return lead + _table(["is", "taken for", "times"], rows)
    lead = (
        f"<p>Rows are the truth, columns what the network said, on {escape(shown.measured)}. "
        '<span class="swatch right"></span> right: the stronger, the larger the share of its row. '
        '<span class="swatch wrong"></span> wrong: as a share of its row, beside the largest such mistake.</p>'
    )
    head = "".join(f'<th scope="col" title="{escape(name)}"><span>{escape(name)}</span></th>' for name in shown.classes)
    shares = [count / sum(row) for place, row in enumerate(shown.confusion) for column, count in enumerate(row)
              if count and column != place]  # fmt: skip
    worst = max(shares, default=1.0)
    lines = []
    for place, (name, row) in enumerate(zip(shown.classes, shown.confusion, strict=True)):
        cells = "".join(_count(count, sum(row), worst, place == column) for column, count in enumerate(row))
        lines.append(f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th>{cells}</tr>')
    caption = '<td class="corner">truth ↓ said →</td>'
    # Long names stand upright above their columns: laid flat they would be cut to the same few letters.
    kind = "matrix upright" if max(map(len, shown.classes)) > _FLAT_NAME else "matrix"
    table = f'<table class="{kind}"><thead><tr>{caption}{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return lead + _scrolling("Confusion matrix", table)


def _count(count: int, total: int, worst: float, is_right: bool) -> str:
    if not count:
        return '<td class="none">0</td>'
    share = count / total if is_right else count / total / worst
    kind = "right" if is_right else "wrong"
    return f'<td class="{kind}" style="--share:{max(share * _STRONGEST, 8):.1f}">{count:,}</td>'


def _scores(shown: ReportPage) -> str:
    lines = "".join(
        f'<tr><th scope="row" class="left">{escape(name)}</th><td>{count}</td>{_bar(precision)}{_bar(recall)}</tr>'
        for name, (count, precision, _, recall) in zip(shown.classes, shown.scores, strict=True)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("pictures", "precision", "recall"))
    lead = (
        "<p>Precision: of the pictures taken for a class, those that show it. Recall: of the pictures that show it, "
        "those taken for it.</p>"
    )
    table = f'<table><thead><tr><th class="left">class</th>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return lead + _scrolling("Classes", table)


def _bar(share: float | None) -> str:
    """A cell with a share in it, as long as it is large."""
    return "<td>-</td>" if share is None else f'<td class="share" style="--share:{share:.1%}">{share:.2%}</td>'


def _mistakes(shown: ReportPage) -> str:
    if not shown.mistakes:
        return "<p>There is none.</p>"
    lead = (
        f"<p>{len(shown.mistakes)} of {shown.mistakes_in_all:,} on {escape(shown.measured)}, as the network saw them: "
        "the less probable the truth seemed, the worse.</p>"
    )
    items = "".join(
        f"<li><figure>{_image(picture)}<figcaption>is <b>{escape(true[0])}</b> ({escape(true[1])})<br>"
        f"said <b>{escape(said[0])}</b> ({escape(said[1])})</figcaption></figure></li>"
        for picture, true, said in shown.mistakes
    )
    return f'{lead}<ul class="mistakes">{items}</ul>'


def _filters(shown: ReportPage) -> str:
    if shown.filters is None:
        return ""
    filters = shown.filters
    notes = "".join(f'<p class="quiet">{escape(note)}</p>' for note in filters.notes)
    scale = ""
    if filters.largest:
        ends = f"<span><b>−{filters.largest}</b><b>0</b><b>+{filters.largest}</b></span>"
        scale = f'<div class="scale"><i style="background:{css_scale()}"></i>{ends}</div>'
    body = f"<p>{escape(filters.title)}</p>{_image(filters.picture)}{scale}{notes}"
    return _section("What it looks for", f'<div class="filters">{body}</div>')


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{f'<code>{escape(value)}</code>' if name == 'command' else escape(value)}</dd>"
        for name, value in facts
    )
    return f'<dl class="facts">{items}</dl>'


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}\n</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], first: str = "left") -> str:
    heads = "".join(
        f'<th scope="col"{"" if place else f" class={first}"}>{escape(name)}</th>' for place, name in enumerate(head)
    )
    lines = "".join(
        f'<tr><th scope="row" class="{first}">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for row in rows
    )
    return _scrolling("Table", f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>")


def _scrolling(name: str, table: str) -> str:
    """A table that is wider than the page can be scrolled, also from the keyboard."""
    return f'<div class="scroll" role="region" aria-label="{escape(name)}" tabindex="0">{table}</div>'


def _image(picture: Picture) -> str:
    return f'<img src="data:image/png;base64,{b64encode(picture.png).decode()}" alt="{escape(picture.text)}">'
