"""What very many pictures show: told by an engine's processes, in one table or in parts that can be gone on with.

A part is the table of some hundred pictures, written whole by the process that told them. Parts are numbered as the
inputs are ordered: one behind the other, heads aside, they are the table of one process.
"""

import hashlib
import importlib
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from convcli import addresses
from convcli.addresses import is_address
from convcli.atomic import write_whole
from convcli.engines import Engine
from convcli.errors import ConvcliError, DataError, shown
from convcli.jobs.classifier import Classifier, load_classifier
from convcli.jobs.documents import table_text
from convcli.jobs.predict import BATCH, Prediction, predict, rows_of
from convcli.jobs.scaling import versions
from convcli.jobs.spread import DEAD, Flight, Group, cut_text, pictures_per_task
from convcli.jobs.tasks import STREAM, Task, absolute

FORMATS = ("csv", "parquet")
_PLAN = "parts.json"
_OURS = re.compile(r"part-\d{6,}(\.failed)?\.(csv|parquet)", re.ASCII)
_MOST = 1024  # pictures in a part, whole batches: so they go through the network as in one process


@dataclass(frozen=True)
class Question:
    """What is asked of each picture, for processes that load the model themselves."""

    model: str
    top: int
    max_pixels: int
    each: bool = False

    @classmethod
    def of(cls, classifier: Classifier, *, top: int, max_pixels: int, each: bool) -> "Question":
        """What `convcli.jobs.predict.predict` is asked."""
        return cls(str(classifier.path.absolute()), top, max_pixels, each)

    def answer(self, sources: Sequence[tuple[str, str]]) -> list[Prediction]:
        """What some sources show, which are called otherwise for the user than here."""
        names = {here: name for name, here in sources}
        words: dict[str, Any] = {"top": self.top, "max_pixels": self.max_pixels, "each": self.each}
        told = predict(loaded(self.model), list(names), **words)
        return [_renamed(one, names) for one in told]


def predict_on(
    question: Question, sources: Sequence[str], engine: Engine, tell: Callable[[str], object]
) -> Iterator[Prediction]:
    """As `convcli.jobs.predict.predict`, in an engine's processes; what the network saw is left out.

    Those come last whose processes died: each is tried once more by itself.
    """
    _check(sources)
    each = _in_part(len(sources), engine.workers, BATCH)
    tell(cut_text(len(sources), each, "task"))
    flight = Flight(engine, question.answer)
    for group, done in flight.run(_groups(sources, each)):
        if done.error is not None:
            yield from (Prediction(name, error=f"{name}: {done.error}") for name, _ in group.sent)
        else:
            yield from done.value
    for group in flight.dead:
        yield from _one_by_one(question, group, engine)


@dataclass(frozen=True)
class PartTold:
    """A part that is written: how many pictures it has, and what there is to say about the others and of them."""

    name: str
    count: int
    errors: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    was_there: bool = False


@dataclass(frozen=True)
class Parts:
    """A folder of tables, here or at an address; ``format`` is one of `FORMATS`."""

    folder: str
    format: str = "csv"

    def write(
        self,
        question: Question,
        sources: Sequence[str],
        engine: Engine,
        tell: Callable[[str], object],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> Iterator[PartTold]:
        """Tell all sources, part by part, in order.

        With ``resume`` parts that are there stay, unless a picture of theirs failed: those are made again.
        Raises `ConvcliError` for parts of another run, or without `resume` and ``overwrite`` for any.
        """
        _check(sources)
        self._check_format()
        each = self._begin(question, sources, engine.workers, resume=resume, overwrite=overwrite)
        there = set(self._names()) if resume else set[str]()
        count = -(-len(sources) // each)
        tell(cut_text(len(sources), each, "part"))
        due = [number for number in range(count) if self._is_due(number, there)]
        for number in sorted(set(range(count)).difference(due)):
            yield PartTold(self.name(number), 0, was_there=True)
        groups = (replace(group, sent=(group.number, group.sent)) for group in _groups(sources, each, due))
        flight = Flight(engine, partial(self._make, question))
        for _, done in flight.run(groups):
            if done.error is not None:
                raise done.error
            yield done.value
        for group in flight.dead:
            number, pairs = group.sent
            yield self._put(number, list(_one_by_one(question, replace(group, sent=pairs), engine)), question)

    def name(self, number: int) -> str:
        """Of a part."""
        return _below(self.folder, f"part-{number:06}.{self.format}")

    def _failed(self, number: int) -> str:
        return f"part-{number:06}.failed.csv"

    def _is_due(self, number: int, there: set[str]) -> bool:
        return f"part-{number:06}.{self.format}" not in there or self._failed(number) in there

    def _make(self, question: Question, work: tuple[int, Sequence[tuple[str, str]]]) -> PartTold:
        number, pairs = work
        return self._put(number, question.answer(pairs), question)

    def _put(self, number: int, told: list[Prediction], question: Question) -> PartTold:
        """Write a part, with what failed beside it."""
        good = [one for one in told if not one.error]
        errors = tuple(one.error for one in told if one.error)
        header, rows = rows_of(good, loaded(question.model).classes, boxes=question.each)
        failures = _below(self.folder, self._failed(number))
        if errors:
            _write(failures, table_text(["file", "error"], [[one.file, one.error] for one in told if one.error]))
        _write(self.name(number), table_text(header, rows) if self.format == "csv" else _parquet(header, rows))
        if not errors:
            _remove(failures)
        warnings = tuple((one.file, text) for one in told for text in one.warnings)
        return PartTold(self.name(number), len(good), errors, warnings)

    def _begin(self, question: Question, sources: Sequence[str], workers: int, *, resume: bool, overwrite: bool) -> int:
        """How many pictures a part has: as the plan says that is there, or a new one."""
        names = hashlib.blake2b(digest_size=16)
        for name in sources:
            names.update(name.encode("utf-8", "surrogateescape") + b"\0")
        model = hashlib.blake2b(Path(question.model).read_bytes(), digest_size=16).hexdigest()
        plan = {"model": model, "inputs": names.hexdigest(), "each": question.each, "format": self.format}
        plan |= {"versions": versions()}
        if not is_address(self.folder):
            if Path(self.folder).is_file():
                raise DataError(f"{shown(self.folder)}: is a file, expected a folder of parts")
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        before = self._names()
        if resume and _PLAN in before:
            known, each = self._known()
            for word, value in plan.items():
                if known.get(word) != value:
                    raise DataError(
                        f"{shown(self.folder)}: holds parts of other {word}; say what was said before, or --overwrite"
                    )
            return each
        ours = [name for name in before if _OURS.fullmatch(name) or name == _PLAN]
        if ours and not overwrite:
            raise DataError(f"{shown(self.folder)}: holds parts; --resume goes on, --overwrite starts anew")
        for name in ours:
            _remove(_below(self.folder, name))
        each = _in_part(len(sources), workers, _MOST)
        _write(_below(self.folder, _PLAN), json.dumps({"plan": plan, "pictures": each}).encode())
        return each

    def _known(self) -> tuple[dict[str, Any], int]:
        """The plan that is there, and how many pictures its parts have."""
        try:
            found = json.loads(_read(_below(self.folder, _PLAN)))
            return dict(found["plan"]), int(found["pictures"])
        except (ValueError, LookupError, TypeError):
            raise DataError(f"{shown(self.folder)}: its {_PLAN} cannot be read; --overwrite starts anew") from None

    def _check_format(self) -> None:
        if is_address(self.folder):
            addresses.check_writable(self.folder)
        if self.format == "parquet":
            _arrow()

    def _names(self) -> list[str]:
        if is_address(self.folder):
            return addresses.names_in(self.folder)
        return [each.name for each in Path(self.folder).iterdir()]


def _in_part(count: int, workers: int, most: int) -> int:
    """Whole batches, so many that all workers have some."""
    return min(-(-pictures_per_task(count, workers) // BATCH) * BATCH, most)


def _check(sources: Sequence[str]) -> None:
    if len(sources) == 1 and sources[0] == STREAM:
        raise ConvcliError("standard input: got it with workers, expected files, which they can open")


def _groups(sources: Sequence[str], each: int, due: Sequence[int] | None = None) -> Iterator[Group]:
    for number in range(-(-len(sources) // each)) if due is None else due:
        some = sources[number * each : (number + 1) * each]
        yield Group(number, [(name, absolute(Task(name, STREAM)).source) for name in some], None)


def _one_by_one(question: Question, group: Group, engine: Engine) -> Iterator[Prediction]:
    """The sources of a group whose processes died, each by itself."""
    flight = Flight(engine, question.answer)
    told: dict[int, list[Prediction]] = {}
    for one, done in flight.run(Group(place, [pair], None) for place, pair in enumerate(group.sent)):
        name = one.sent[0][0]
        told[one.number] = done.value if done.error is None else [Prediction(name, error=f"{name}: {done.error}")]
    for one in flight.dead:
        name = one.sent[0][0]
        told[one.number] = [Prediction(name, error=f"{name}: {DEAD}")]
    return itertools.chain.from_iterable(told[place] for place in sorted(told))


def _renamed(one: Prediction, names: dict[str, str]) -> Prediction:
    here = one.file if one.file in names else one.file.rpartition("[")[0]
    name = names[here]
    return replace(one, file=name + one.file[len(here) :], error=one.error.replace(here, name), seen=None)


def loaded(model: str) -> Classifier:
    """The model of a file as it is now: processes of a cluster outlive a run, and a model its training."""
    found = Path(model).stat()
    return _loaded_once(model, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=1)
def _loaded_once(model: str, stamp: tuple[int, ...]) -> Classifier:
    return load_classifier(model, pictures=False)


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConvcliError("parquet: needs pyarrow; pip install pyarrow, or leave --parquet out for CSV") from None


def _parquet(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    arrow, parquet = _arrow()
    kinds = {"file": arrow.string(), "label": arrow.string()}
    kinds |= dict.fromkeys(("left", "top", "width", "height"), arrow.int64()) if "left" in header[:2] else {}
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    # A class may be called as a column is: only the first of a name has that column's kind.
    arrays = [
        arrow.array(column, kinds.get(name, arrow.float64()) if header.index(name) == place else arrow.float64())
        for place, (name, column) in enumerate(zip(header, columns, strict=True))
    ]
    stream = io.BytesIO()
    parquet.write_table(arrow.Table.from_arrays(arrays, names=list(header)), stream)
    return stream.getvalue()


def _below(folder: str, name: str) -> str:
    return addresses.below(folder, name) if is_address(folder) else str(Path(folder) / name)


def _read(name: str) -> bytes:
    return addresses.read_bytes(name) if is_address(name) else Path(name).read_bytes()


def _write(name: str, content: bytes) -> None:
    if is_address(name):
        addresses.write_whole(name, content, overwrite=True)
    else:
        write_whole(Path(name), content, overwrite=True)


def _remove(name: str) -> None:
    if is_address(name):
        addresses.remove(name)
    else:
        Path(name).unlink(missing_ok=True)
