"""The room of training: one training at a time, watched epoch by epoch, paused, stopped, and saved as a file."""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.responses import Response

from convcli.architectures.files import shipped
from convcli.errors import ConvcliError, DataError, ModelError
from convcli.jobs.classifier import load_classifier
from convcli.jobs.data import list_data
from convcli.jobs.filters import Filters
from convcli.jobs.train import SUFFIX, plan_training, train
from convcli.jobs.training_plan import TrainingPlan, TrainReport
from convcli.jobs.training_watch import Hard, first_filters, hardest
from convcli.lab import asking, commands
from convcli.lab.asking import Words, WordsError
from convcli.lab.digit_room import DigitRoom
from convcli.lab.pictures import view
from convcli.lab.turns import Gate
from convcli.nn.training import Listener, Training

PRESETS = ("default", "lecture", "fast", "best")
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
_OVER = ("idle", "done", "stopped", "failed")


@dataclass(eq=False)
class Run:
    """One training, as its thread tells of it and the page asks."""

    data: str
    command: str
    folder: tempfile.TemporaryDirectory[str]
    state: str = "preparing"
    # What the thread tells is replaced whole, never changed: the page may be reading it.
    told: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)
    filters: Filters | None = None
    hard: list[Hard] = field(default_factory=list)
    error: str = ""
    file: Path | None = None
    is_paused: bool = False
    is_stopping: bool = False

    @property
    def is_over(self) -> bool:
        """Whether its thread has ended, or is about to."""
        return self.state in _OVER


class TrainingRoom:
    """What the page asks of trainings. ``folder`` are the user's own data, if the lab was started with some."""

    def __init__(self, gate: Gate, digits: DigitRoom, folder: str | None) -> None:
        self._gate, self._digits, self._folder = gate, digits, folder
        self._run: Run | None = None
        self._thread: threading.Thread | None = None

    def choices(self) -> dict[str, Any]:
        """Data sets that lie on this machine, and the words of a recipe."""
        found = [each for each in list_data() if each.folder is not None or each.entry.ships]
        data = [{"name": each.entry.name, "title": each.entry.title, "images": each.entry.counts[0]} for each in found]
        own = [{"name": self._folder, "title": "your own", "images": 0}] if self._folder else []
        return {"data": own + data, "presets": PRESETS, "networks": list(shipped()), "optimizers": OPTIMIZERS}

    def start(self, words: Words) -> Response:
        """Begin a training, unless one is running."""
        if self._run is not None and not self._run.is_over:
            raise ModelError("training: one is running, expected none; stop it first")
        planned, options, data = self._words(words)
        if self._run is not None:
            self._run.folder.cleanup()
        folder = tempfile.TemporaryDirectory(prefix="convcli-lab-", ignore_cleanup_errors=True)
        command = commands.line("train", data, options=options)
        self._run = run = Run(data, command, folder)
        planned |= {"output": str(Path(folder.name) / _target(data)), "command": command, "offline": True}
        self._thread = threading.Thread(target=self._train, args=(run, planned), name="lab training", daemon=True)
        self._thread.start()
        return self.state(-1)

    def steer(self, words: Words) -> Response:
        """Pause, go on, or stop after the batch at hand."""
        run, way = self._run, asking.text(words, "way")
        if way not in ("pause", "go", "stop"):
            raise WordsError(f"way: got {way[:40]!r}, expected pause, go or stop")
        if run is None or run.is_over:
            raise ModelError("training: none is running, expected one to pause or stop; start one")
        run.is_paused, run.is_stopping = way == "pause", run.is_stopping or way == "stop"
        return self.state(-1)

    def state(self, epochs: int) -> Response:
        """How far it is; filters and examples only where more epochs are done than the page knows of."""
        run = self._run
        if run is None:
            return asking.framed({"state": "idle"})
        state = "paused" if run.is_paused and not run.is_over and run.state == "running" else run.state
        told = {
            "state": state,
            "command": run.command,
            "data": run.data,
            "error": run.error,
            "can_save": run.file is not None,
            "history": run.history,
            "progress": run.progress,
            **run.told,
        }
        if len(run.history) == epochs:
            return asking.framed({**told, "looked": False})
        filters, hard = run.filters, run.hard
        told["looked"] = True
        told["filters"] = (
            None if filters is None else {"layer": filters.layer, "colour": filters.is_colour, "shape": filters.shape}
        )
        told["hard"] = [
            {"true": each.true, "taken": each.taken, "share": each.share, "taken_share": each.taken_share}
            for each in hard
        ]
        weights = [] if filters is None else [np.nan_to_num(filters.weights).astype(np.float32)]
        return asking.framed(told, *weights, *(view(each.image, 255.0) for each in hard))

    def file(self) -> Response:
        """The model's file, or a stopped training's checkpoint."""
        run = self._run
        if run is None or run.file is None:
            raise ModelError("training: nothing to save yet, expected one that is done or stopped")
        return Response(run.file.read_bytes(), media_type="application/octet-stream")

    def close(self) -> None:
        """Stop what runs, and take its files away."""
        if self._run is not None:
            self._run.is_stopping = True
            if self._thread is not None:
                self._thread.join(5)
            self._run.folder.cleanup()

    def _words(self, words: Words) -> tuple[dict[str, Any], dict[str, Any], str]:
        """The words of `plan_training`, the command's options, and the data's name."""
        data = asking.text(words, "data", "digits")
        allowed = [each["name"] for each in self.choices()["data"]]
        if data not in allowed:
            raise DataError(f"data: got {data[:60]!r}, expected one of {', '.join(allowed)}")
        changes: dict[str, Any] = {"seed": asking.whole(words, "seed", 0, 0, 2**31)}
        for name, high in (("epochs", 1000), ("batch_size", 10_000)):
            if name in words:
                changes[name] = asking.whole(words, name, 1, 1, high)
        if "learning_rate" in words:
            changes["learning_rate"] = asking.number(words, "learning_rate", 0.0)
        if words.get("optimizer"):
            changes["optimizer"] = _one_of(words, "optimizer", OPTIMIZERS)
        preset = _one_of(words, "preset", PRESETS, "default")
        network = _one_of(words, "model", shipped()) if words.get("model") else None
        limit = asking.whole(words, "limit", 0, 0, 10**7)
        planned = {"data": data, "preset_name": preset, "changes": changes, "model": network, "limit": limit}
        options = {
            "model": network,
            "preset": None if preset == "default" else preset,
            **{{"learning_rate": "lr"}.get(name, name): value for name, value in changes.items()},
            "limit": limit or None,
            "output": _target(data),
        }
        return planned, options, data

    def _train(self, run: Run, planned: dict[str, Any]) -> None:
        try:
            with self._gate.held():
                plan = plan_training(**planned)
                run.told = _told(plan)
                run.state = "running"
                report = train(plan, self._listener(run, plan))
            self._finished(run, report)
        except (ConvcliError, OSError, MemoryError) as error:
            run.error = " ".join(str(error).split()) or type(error).__name__
            run.state = "failed"
        finally:
            if not run.is_over:
                run.error, run.state = "internal error; the terminal says more", "failed"

    def _finished(self, run: Run, report: TrainReport) -> None:
        plan = report.plan
        if report.finished:
            run.told |= {
                "test": None if report.test is None else report.test._asdict(),
                "best": report.best_epoch or None,
            }
            run.file = plan.target
            self._digits.add(plan.target.name, load_classifier(plan.target))
            run.state = "done"
        else:
            run.file = plan.checkpoint
            run.told = {**run.told, "resume": commands.line("train", "--resume", plan.checkpoint.name)}
            run.state = "stopped"

    def _listener(self, run: Run, plan: TrainingPlan) -> Listener:
        may_go_on: Callable[[], bool] = lambda: not run.is_paused or run.is_stopping  # noqa: E731

        def batch_ends(training: Training) -> None:
            at = training.progress
            run.progress = {"epoch": at.epoch + 1, "batch": at.batch, "batches": training.steps_per_epoch,
                            "loss": at.loss / max(at.seen, 1), "accuracy": at.right / max(at.seen, 1)}  # fmt: skip
            self._gate.step_back(may_go_on)

        def epoch_ends(training: Training) -> None:
            run.filters = first_filters(training)
            run.hard = hardest(training, plan.dataset.classes)
            run.history = [each.as_dict() for each in training.history]

        return Listener(batch_ends, epoch_ends, lambda: run.is_stopping)


def _told(plan: TrainingPlan) -> dict[str, Any]:
    """What is decided, for people."""
    return {
        "notes": plan.notes,
        "warnings": plan.warnings,
        "epochs": plan.recipe.epochs,
        "network": plan.network.spec.name,
        "params": plan.network.params,
        "images": len(plan.learned),
        "held": 0 if plan.held is None else len(plan.held),
    }


def _one_of(words: Words, name: str, allowed: tuple[str, ...], default: str = "") -> str:
    word = asking.text(words, name, default)
    if word not in allowed:
        raise WordsError(f"{name}: got {word[:40]!r}, expected one of {', '.join(allowed)}")
    return word


def _target(data: str) -> str:
    return f"{Path(data).resolve().name if Path(data).is_dir() else Path(data).name.split('.')[0]}{SUFFIX}"
