"""Names of arrays: which one holds samples or targets, and of which split; in the words that people use."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from convcli.errors import DataError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_PARTS = {
    "train": TRAIN, "training": TRAIN, "tr": TRAIN, "test": TEST, "testing": TEST, "te": TEST, "t10k": TEST,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION, "va": VALIDATION,
}  # fmt: skip
_SAMPLES = ("x", "image", "img", "input", "data", "feature", "sample", "series", "signal", "volume", "noisy", "pixel",
            "picture", "sequence", "frame", "photo", "raw", "blur", "degraded", "dirty",
            "corrupt")  # fmt: skip
_TARGETS = (
    "y",
    "label",
    "target",
    "clas",
    "output",
    "mask",
    "clean",
    "lbl",
    "truth",
    "next",
    "value",
    "digit",
    "seg",
    "annotation",
    "gt",
    "sharp",
)
_NAMES = {"name", "names"}  # of classes: no targets
_PLAIN = ("arr_0", "arr_1", "arr_2", "arr_3")  # what numpy.savez calls arrays without names
_IDX = re.compile(r"[-.]idx\d(-\w+)?$")
# Words joined by signs or by a capital letter, or the part's name at either end: xtrain, trainX, y_test.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z]{2})|[A-Z]?[a-z]+|[A-Z]+|\d+")
_ENDS = re.compile(r"^(train|test|valid|val)|(train|test|valid|val|tr|te)$")


class Pair(NamedTuple):
    """The names of samples and their targets."""

    samples: str
    targets: str


def part_of(name: str) -> str | None:
    """The split that a folder's name means, if any.

    >>> part_of("Valid"), part_of("t10k"), part_of("cats")
    ('validation', 'test', None)
    """
    return _PARTS.get(name.lower())


def pairs_of(names: Iterable[str], label: str) -> dict[str, Pair]:
    """The pairs among names of arrays, by their split; raises `DataError` if there is none to train on.

    >>> pairs_of(["X", "y"], "a.npz")["train"]
    Pair(samples='X', targets='y')
    >>> sorted(pairs_of(["train_images", "train_labels", "val_images", "val_labels"], "a.npz"))
    ['train', 'validation']
    """
    every = sorted(names)
    if every in (list(_PLAIN[:2]), list(_PLAIN)):
        found = {TRAIN: Pair(*_PLAIN[:2])}
        return found | ({TEST: Pair(*_PLAIN[2:])} if len(every) > 2 else {})
    ranked = sorted((rank, name, role) for name in every for role, rank in [_role(name)] if role is not None)
    roles: dict[tuple[str, str], str] = {}
    for _, name, role in ranked:
        roles.setdefault(role, name)
    made = {
        part: Pair(roles[part, "samples"], roles[part, "targets"])
        for part in (TRAIN, VALIDATION, TEST)
        if (part, "samples") in roles and (part, "targets") in roles
    }
    if TRAIN not in made and len(made) == 1:  # the pair of a test set alone
        made = {TRAIN: next(iter(made.values()))}
    if TRAIN not in made:
        got = ", ".join(every[:8]) or "no array"
        raise DataError(f"{label}: holds {got}; expected x_train and y_train, images and labels, or X and y")
    return made


def role_of(name: str) -> tuple[str, str] | None:
    """The split, and whether samples or targets, that an array's name means; None if it means neither.

    >>> role_of("x_train"), role_of("testY"), role_of("t10k-images-idx3-ubyte"), role_of("weights")
    (('train', 'samples'), ('test', 'targets'), ('test', 'samples'), None)
    """
    return _role(name)[0]


def _role(name: str) -> tuple[tuple[str, str] | None, int]:
    """As `role_of` says, and how good a name it is: 0 is the best."""
    plain = _IDX.sub("", name)
    words = ["t10k"] if plain.lower().startswith("t10k") else []
    words += [each.lower() for each in _WORD.findall(plain)]
    words = [part for word in words for part in ([word] if word in _PARTS else _ENDS.sub(r" \1\2 ", word).split())]
    part = next((_PARTS[word] for word in words if word in _PARTS), TRAIN)
    rest = [word for word in words if word not in _PARTS and not word.isdigit()]
    if _NAMES & set(rest):
        return None, 0
    for role, known in (("targets", _TARGETS), ("samples", _SAMPLES)):
        for rank, each in enumerate(known):
            if any(word == each or (len(each) > 1 and word.startswith(each)) for word in rest):
                return (part, role), rank
    return None, 0
