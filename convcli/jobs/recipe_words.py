"""How a model was trained and how pictures are prepared for it, in words instead of the names that its file has.

What a file holds may be anything: a value that is not understood is shown as it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

from convcli.errors import ConvcliError
from convcli.ops.augmentation import Augmentation

Say = Callable[[Any], str]

_OPTIMIZERS = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}
_SCHEDULES = {
    "constant": "constant",
    "step": "a tenth after each third of the training",
    "cosine": "falls along half a cosine wave",
    "one_cycle": "rises and falls once",
}
_KEPT = {"best": "those of the epoch with the lowest held-out loss", "last": "those of the last epoch"}
_MOVES = {
    "shift": "shifted by up to {} pixels",
    "rotation": "turned by up to {}°",
    "scale": "made up to {}% larger or smaller",
    "shear": "slanted by up to {}°",
    "elastic": "bent by about {} pixels",
    "crop": "cropped by up to {}%",
    "brightness": "made up to {}% lighter or darker",
    "contrast": "made up to {}% richer or poorer in contrast",
    "erase": "erased in part, up to {}% of the sides",
}
_SHARES = ("scale", "crop", "brightness", "contrast", "erase")
_LEFT_OUT = ("command", "digest")  # the one stands by itself, the other is for evaluate


def recipe_in_words(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values; what was not used is left out.

    >>> recipe_in_words({"epochs": 2, "optimizer": "adamw", "clip_norm": 0.0, "schedule": "one_cycle"})
    [('epochs', '2'), ('optimizer', 'AdamW'), ('rate over time', 'rises and falls once')]
    """
    facts = []
    for key, value in recipe.items():
        label, say = _WORDS.get(key, (key.replace("_", " "), as_text))
        text = "" if value is None or key in _LEFT_OUT else say(value)
        facts += [(label, text)] if text else []
    return facts


def preparation_in_words(rule: Mapping[str, Any]) -> str:
    """What becomes of a picture before a network sees it, from a model's ``preprocessing``."""
    if rule.get("kind") == "array":
        shape, values = rule.get("shape"), rule.get("values")
        size = "x".join(map(as_text, shape)) if isinstance(shape, list | tuple) else as_text(shape)
        return f"arrays of {size}" + (", bytes as 0 to 1" if values == "bytes" else ", numbers as they are")
    size = f"{as_text(rule.get('height'))}x{as_text(rule.get('width'))}"
    colour = "in grey" if rule.get("channels") == 1 else "in colour"
    if rule.get("kind") == "digit":
        middle = "centre of mass" if rule.get("centre", "mass") == "mass" else "middle"
        box = as_text(rule.get("box"))
        return f"the digit is cut out, scaled into {box}x{box} pixels and put by its {middle} on {size}, {colour}"
    inverted = "; inverted where the border is light" if rule.get("light_on_dark") is True else ""
    return f"scaled and cropped to {size}, {colour}{inverted}"


def as_text(value: Any) -> str:
    """A value that has no words of its own."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _counted(template: str, factor: float = 1) -> Say:
    """Words around a number, none for 0."""

    def say(value: Any) -> str:
        if not _is_number(value):
            return as_text(value)
        return template.format(f"{value * factor:g}") if value else ""

    return say


def _chosen(words: Mapping[str, str]) -> Say:
    return lambda value: words.get(value, as_text(value)) if isinstance(value, str) else as_text(value)


def _optimizer(value: Any) -> str:
    name, _, settings = as_text(value).partition(":")
    told = [_OPTIMIZERS.get(name.strip().lower(), name)]
    for word in filter(None, settings.split(",")):
        key, _, number = (each.strip() for each in word.partition("="))
        if key != "nesterov":
            told.append(f"{key.replace('_', ' ')} {number}")
        elif number != "0":
            told.append("with Nesterov's momentum")
    return ", ".join(told)


def _augmentation(value: Any) -> str:
    try:
        moves = Augmentation.from_words(as_text(value))
    except ConvcliError:
        return as_text(value)
    told = []
    for name, template in _MOVES.items():
        amount = getattr(moves, name)
        if amount:
            told.append(template.format(f"{amount * (100 if name in _SHARES else 1):g}"))
            if name == "scale" and moves.stretch:
                told[-1] += ", each axis by itself"
    if moves.flip:
        told.append("mirrored half of the time")
    return "; ".join(told)


def _held_out(value: Any) -> str:
    if not _is_number(value):
        return as_text(value)
    amount = f"{value:.3g}" if value >= 1 else f"{100 * value:.3g}%"
    return f"{amount} of the training images" if value else "no images"


_WORDS: dict[str, tuple[str, Say]] = {
    "batch_size": ("batch", _counted("{} images")),
    "optimizer": ("optimizer", _optimizer),
    "schedule": ("rate over time", _chosen(_SCHEDULES)),
    "warm_up": ("warm-up", _counted("{} epochs")),
    "weight_decay": ("weight decay", _counted("{}")),
    "label_smoothing": ("label smoothing", _counted("{}% of each target is spread over all classes", 100)),
    "clip_norm": ("gradients", _counted("cut to a norm of at most {}")),
    "average": ("average", _counted("weights are averaged over steps, with a decay of {}")),
    "augment": ("images are", _augmentation),
    "keep": ("weights kept", _chosen(_KEPT)),
    "select": ("the best epoch", _chosen({"loss": "", "accuracy": "has the highest held-out accuracy"})),
    "freeze": ("frozen", as_text),
    "class_weight": ("class weights", as_text),
    "said": ("data read with", lambda value: ", ".join(f"{key} {as_text(each)}" for key, each in dict(value).items())),
    "patience": ("stops early", _counted("after {} epochs without a lower held-out loss")),
    "held_out": ("held out", _held_out),
    "limit": ("limit", _counted("at most {} training images")),
}
