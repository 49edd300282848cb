"""Presets: a network and a recipe under one word, chosen on images held out of MNIST's training set."""

from dataclasses import dataclass, replace

from convcli.errors import ModelError
from convcli.nn.recipe import Recipe

# Few images make few steps: they come in smaller batches, and are gone through more often, up to so many times.
_FEWEST_BATCHES = 16
_SMALLEST_BATCH = 8
_FEWEST_STEPS = 800
_MOST_EPOCHS = 100


@dataclass(frozen=True)
class Preset:
    """A recipe and the network it is for.

    Parameters
    ----------
    meaning : str
        One line for the help.
    recipe : Recipe
        How.
    network : str
        A shipped architecture; empty for the one that suits the data set.
    held_out : float
        The share of the training images that validates.
    adapts : bool
        Whether a small data set comes in smaller batches, and more often, than the recipe says.
    """

    meaning: str
    recipe: Recipe
    network: str = ""
    held_out: float = 0.05
    adapts: bool = True

    def recipe_for(self, images: int) -> Recipe:
        """The recipe for so many training images: with few of them, smaller batches and more epochs."""
        if not self.adapts:
            return self.recipe
        batch_size = self.recipe.batch_size
        while batch_size // 2 >= _SMALLEST_BATCH and images < batch_size * _FEWEST_BATCHES:
            batch_size //= 2
        steps = -(-images // batch_size)
        epochs = min(max(self.recipe.epochs, -(-_FEWEST_STEPS // steps)), max(_MOST_EPOCHS, self.recipe.epochs))
        return replace(self.recipe, epochs=epochs, batch_size=batch_size)


PRESETS = {
    "default": Preset(
        "the lecture's network, 5 epochs, a better schedule, averaged weights",
        Recipe(optimizer="adam", learning_rate=2e-3, schedule="one_cycle", average=0.99),
    ),
    "lecture": Preset(
        "the lecture's recipe to the letter: RMSprop 1e-3, batch 64, 5 epochs, no validation",
        Recipe(epochs=5, batch_size=64, optimizer="rmsprop", learning_rate=1e-3),
        held_out=0.0,
        adapts=False,
    ),
    "fast": Preset(
        "the lecture's network in one epoch",
        Recipe(epochs=1, batch_size=64, optimizer="adam", learning_rate=4e-3, schedule="one_cycle", average=0.98),
        held_out=0.0,
    ),
    "best": Preset(
        "a deeper network with batch normalisation and moved, turned, bent images",
        Recipe(epochs=20, batch_size=64, optimizer="adam", learning_rate=3e-3, schedule="one_cycle"),
        network="deep",
        held_out=0.0,
    ),
}


def preset(name: str) -> Preset:
    """The preset of this name; raises `ModelError` for an unknown one."""
    if name not in PRESETS:
        raise ModelError(f"preset: got {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
