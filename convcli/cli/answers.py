"""What `convcli predict` and `evaluate` print of a network that does not tell classes apart."""

from collections.abc import Sequence
from pathlib import Path

from convcli.atomic import check_target
from convcli.cli import options
from convcli.cli.printing import say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.datasets import Dataset
from convcli.jobs.answers import Answer, answers, measure, plan_answers
from convcli.jobs.classifier import Classifier
from convcli.jobs.documents import json_text


def predict(
    classifier: Classifier, sources: Sequence[str], output: str | None, *, max_pixels: int, overwrite: bool,
    as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Say and write what the network makes of each file."""
    tasks = options.usage(lambda: plan_answers(classifier, sources, output, overwrite=overwrite))
    for task in tasks:
        if task.target and not task.makes_folder:
            check_target(Path(task.target), overwrite=overwrite)
    told: list[Answer] = []
    with progress_bar("files", hidden=quiet or len(sources) < 2) as advance:
        for each in answers(classifier, tasks, max_pixels=max_pixels, overwrite=overwrite):
            told.append(each)
            if not as_json and not each.error:
                show(each.told())
            advance(min(len(told), len(sources)), len(sources))
    bad = [each for each in told if each.error]
    if as_json:
        show_result(json_text([each.as_dict() for each in told if not each.error]))
    for each in bad:
        say(f"Error: {each.error}")
    return 1 if bad else 0


def evaluate(
    classifier: Classifier, dataset: Dataset, model: str, *, split: str | None, limit: int | None, batch_size: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Say how good the network is."""
    score, part, count = measure(classifier, dataset, split=split, limit=limit, batch_size=batch_size)
    metrics = dict(score.metrics) | ({} if score.accuracy is None else {"accuracy": score.accuracy})
    if as_json:
        about = {"model": model, "task": classifier.task, "data": dataset.name, "split": part, "images": count}
        show_result(json_text(about | metrics | {"loss": score.loss}))
        return
    words = [f"{name} {value:.2%}" if name == "accuracy" else f"{name} {value:.5g}" for name, value in metrics.items()]
    show(f"{', '.join(words)} on {count:,} of {dataset.name} ({part}), loss {score.loss:.4g}")
