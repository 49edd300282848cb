"""A report on a trained model: everything about it on one page of HTML."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures import shape_text
from convcli.architectures.card import measure_in_words, number_in_words
from convcli.atomic import check_target, write_whole
from convcli.datasets import Dataset, Reports, find_entry
from convcli.datasets.samples import are_pictures
from convcli.errors import ConvcliError, DataError, ModelError
from convcli.images import Image, write
from convcli.jobs.classifier import Classifier, classifier_of, load_classifier, model_file, percent, task_told
from convcli.jobs.evaluate import Evaluation, evaluate, load_data, most_confused
from convcli.jobs.filters import filter_panel, filters_of
from convcli.jobs.outcome import Outcome, measure, worst
from convcli.jobs.recipe_words import preparation_in_words, recipe_in_words
from convcli.nn.weights import TrainedModel, load_model
from convcli.views.figure import number
from convcli.views.networks import cells, totals
from convcli.views.report_page import Answers, Filters, Picture, ReportPage, page

MOST_MISTAKES = 36
_LARGEST_MATRIX = 40  # classes
SUFFIXES = (".html", ".htm")
_HEADS = {"field": "receptive field"}


@dataclass(frozen=True, eq=False)
class Report:
    """A model, and how it did: an ``evaluation`` of classes, or the ``outcome`` of another task.

    ``missing`` says why both are None.
    """

    path: Path
    trained: TrainedModel
    evaluation: Evaluation | None
    missing: str = ""
    outcome: Outcome | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.evaluation or self.outcome
        measured = {} if found is None else found.as_dict()
        return {"model": str(self.path), "missing": self.missing or None} | measured


def make_report(
    source: str | Path,
    data: str | None = None,
    *,
    data_dir: str | None = None,
    offline: bool = False,
    limit: int | None = None,
    reports: Reports | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read a model, and try it on data if there are some.

    Parameters
    ----------
    source : str or Path
        A file that ``convcli train`` wrote, or ``shipped``.
    data : str, optional
        A data set's name or a folder of classes. Without it, what the model was trained on, if that lies on this
        machine: nothing is downloaded then, and without it the report is made all the same.
    limit : int, optional
        Use so many pictures, of each class its share.

    Raises
    ------
    ConvcliError
        For a file that is no model, or data that were named and cannot be had.
    """
    path = model_file(source)
    trained = load_model(path)
    try:
        any_task = task_told(trained) != "classify"
        classifier = load_classifier(path, any_task=True) if any_task else classifier_of(trained, path, pictures=False)
        dataset = load_data(classifier, data, data_dir=data_dir, offline=offline or data is None, reports=reports)
    except (DataError, ModelError) as error:
        if data is not None:
            raise
        name = trained.card.name
        # Which files go where is of no interest to those who did not ask for the data.
        lacking = isinstance(error, DataError) and find_entry(name) is not None
        fix = f"the data of {name} are not on this machine; --data {name} fetches them"
        return Report(path, trained, None, fix if lacking else str(error))
    return report_on(classifier, dataset, limit=limit, on_progress=on_progress)


def report_on(
    classifier: Classifier,
    dataset: Dataset,
    *,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """A report on a model and data that are in memory already."""
    if classifier.task != "classify":
        outcome = measure(classifier, dataset, limit=limit, on_progress=on_progress)
        return Report(classifier.path, classifier.trained, None, outcome=outcome)
    found = evaluate(classifier, dataset, limit=limit, on_progress=on_progress)
    return Report(classifier.path, classifier.trained, found)


def check_report(target: str | Path, *, overwrite: bool) -> None:
    """Refuse a page that could not be written before any work is done for it; raises `ConvcliError`."""
    check_page_name(target)
    check_target(Path(target), overwrite=overwrite)


def check_page_name(target: str | Path) -> None:
    """Refuse a page's name that does not end as a page's; raises `ConvcliError`."""
    if Path(target).suffix.lower() not in SUFFIXES:
        raise ConvcliError(f"{target}: got {Path(target).suffix or 'no suffix'}, expected a name that ends in .html")


def write_report(report: Report, target: str | Path, *, overwrite: bool = False) -> None:
    """Write the page; it appears complete or not at all."""
    write_whole(Path(target), page(page_of(report)), overwrite=overwrite)


def page_of(report: Report) -> ReportPage:
    """What the page shows."""
    model, card, found = report.trained.model, report.trained.card, report.evaluation
    spec = model.plan.spec
    header, layers = cells(model.plan)
    few = found is not None and len(found.classes) <= _LARGEST_MATRIX
    return ReportPage(
        title=f"{spec.name}, trained on {card.name}",
        numbers=_numbers(report),
        history=[row for row in card.history if "epoch" in row],
        label_smoothing=card.label_smoothing,
        classes=card.classes,
        confusion=found.confusion.tolist() if found is not None and few else None,
        confused=[] if found is None or few else most_confused(found, 25),
        scores=[] if found is None else _scores(found),
        mistakes=_mistakes(found) if found is not None and are_pictures(found.images) else [],
        mistakes_in_all=0 if found is None else len(found.mistakes),
        measured="" if found is None else found.measured_on + f" ({found.count:,})" * (not found.whole),
        missing=report.missing,
        filters=_filters(report.trained),
        header=[_HEADS.get(each, each) for each in header],
        layers=layers,
        facts=[*_named(totals(model.plan)), *([("source", spec.source)] if spec.source else [])],
        recipe=_recipe(report.trained),
        calibration=_calibration(found),
        answers=None if report.outcome is None else _answers(report, report.outcome),
        footer=f"Made by convcli {card.version} report from {report.path.name}",
    )


def _numbers(report: Report) -> list[tuple[str, str]]:
    card, found = report.trained.card, report.evaluation
    metrics: Mapping[str, float] = card.metrics
    if report.outcome is not None:
        told = report.outcome
        values = told.metrics | {"loss": told.score.loss}
        numbers = [(f"{name} on {told.part}", number_in_words(name, value)) for name, value in values.items()]
    elif found is not None:
        accuracy, loss = number_in_words("accuracy", found.accuracy), number_in_words("loss", found.loss)
        numbers = [(f"accuracy on {found.part}", accuracy), (f"loss on {found.part}", loss)]
        numbers += [("wrong", f"{len(found.mistakes):,} of {found.count:,}")]
    else:
        start = "test_" if any(key.startswith("test_") for key in metrics) else "val_"
        numbers = [
            (f"{measure_in_words(key)} when trained", number_in_words(key, value))
            for key, value in metrics.items() if key.startswith(start)
        ]  # fmt: skip
    numbers.append(("parameters", f"{report.trained.model.parameter_count:,}"))
    if card.classes:
        numbers.append(("classes", f"{len(card.classes):,}"))
    if metrics.get("seconds"):
        numbers.append(("training", _duration(metrics["seconds"])))
    return numbers


def _duration(seconds: float) -> str:
    """``12 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.3g} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _scores(found: Evaluation) -> list[tuple[str, float | None, str, float | None]]:
    return [(f"{each.count:,}", each.precision, each.label, each.recall) for each in found.per_class]


def _mistakes(found: Evaluation) -> list[tuple[Picture, tuple[str, str], tuple[str, str]]]:
    names = found.classes
    return [
        (
            Picture(_png(found.images[each.place]), f"a {names[each.true]} that was taken for {names[each.predicted]}"),
            (names[each.true], percent(each.true_probability)),
            (names[each.predicted], percent(each.probability)),
        )
        for each in found.mistakes[:MOST_MISTAKES]
    ]


def _filters(trained: TrainedModel) -> Filters | None:
    try:
        found = filters_of(trained)
    except ModelError:  # a network without convolutions
        return None
    panel = filter_panel(found)
    picture = Picture(_png(panel.pixels), f"the filters of {found.layer}")
    largest = "" if panel.largest is None else number(panel.largest)
    return Filters(picture, f"{found.layer}: {panel.title}", panel.notes, largest)


def _answers(report: Report, found: Outcome) -> Answers:
    """What the page shows of another task: a table by class or number, the worst samples, and their pictures."""
    head = ["number" if found.task == "regress" else "class", *(found.parts[0] if found.parts else {})]
    head = [each for each in head if each != "name"]
    classifier = load_classifier(report.path, any_task=True)
    pictures = [(Picture(_png(each.pixels), f"sample, truth and answer of {each.name}"), each.name, each.measured)
                for each in worst(classifier, found, MOST_MISTAKES)]  # fmt: skip
    rows = [[found.names(place), *(_cell(value) for value in found.rows[place])]
            for place in found.order[:MOST_MISTAKES].tolist()]  # fmt: skip
    return Answers(
        measured=f"{found.part} of {found.data}" + f" ({found.count:,})" * (not found.whole),
        head=head,
        rows=[[each["name"], *(_cell(value, name) for name, value in each.items() if name != "name")]
              for each in found.parts],
        worst_head=["sample", *found.columns],
        worst=rows,
        pictures=pictures,
    )  # fmt: skip


def _cell(value: Any, name: str = "") -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2%}" if name in ("precision", "recall", "accuracy") else f"{value:.4g}"


def _calibration(found: Evaluation | None) -> list[tuple[float, float, int]]:
    answers = None if found is None else found.answers
    return [] if answers is None else [(each.probability, each.accuracy, each.count) for each in answers.calibration]


def _recipe(trained: TrainedModel) -> list[tuple[str, str]]:
    card, plan = trained.card, trained.model.plan
    facts = [("data", card.name), ("input", shape_text(plan.input))]
    facts += [("classes", ", ".join(card.classes[:50]) + (", ..." if len(card.classes) > 50 else ""))]
    command = card.recipe.get("command", "")
    facts += recipe_in_words(card.recipe)
    if "seed" not in card.recipe:
        facts.append(("seed", str(card.seed)))
    facts += [each for each in card.scores if each[0] != measure_in_words("seconds")]  # which stand at the top
    if card.preprocessing:
        facts.append(("pictures", preparation_in_words(card.preprocessing)))
    facts.append(("convcli", card.version))
    return [(name, value) for name, value in facts if value] + ([("command", str(command))] if command else [])


def _named(lines: list[str]) -> list[tuple[str, str]]:
    """Lines whose first 17 columns are a name, as names and values; lines without a name go on with the one before."""
    facts: list[tuple[str, str]] = []
    for line in lines:
        name, value = line[:17].strip(), line[17:].strip()
        if name:
            facts.append((name, value))
        else:
            begun, text = facts.pop()
            facts.append((begun, f"{text}{': ' if begun == 'parameters' else ' '}{value}"))
    return facts


def _png(pixels: np.ndarray[Any, Any]) -> bytes:
    written = io.BytesIO()
    write(Image(pixels), written, format="png")
    return written.getvalue()
