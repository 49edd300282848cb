"""Presets: a network and a recipe under one word, chosen on images held out of MNIST's training set."""

from dataclasses import dataclass, replace

from convcli.errors import ModelError
from convcli.nn.recipe import Recipe

# Few images make few steps: they come in smaller batches, and are gone through more often, up to so many times.
_FEWEST_BATCHES = 16
_SMALLEST_BATCH = 8
_FEWEST_STEPS = 800
_MOST_EPOCHS = 100
FEWEST_HELD = 50
_USUAL_SHARE = 0.05
_LARGEST_SHARE = 0.2  # of few images: fewer to learn from would harm more than a better measure helps
SIDE = 28  # pixels: the side of the pictures that a recipe's augmentation is meant for


@dataclass(frozen=True)
class Preset:
    """A recipe and the network it is for.

    Parameters
    ----------
    meaning : str
        One line for the help.
    recipe : Recipe
        How; what augmentation says in pixels is meant for sides of 28.
    network : str
        A shipped architecture; empty for the one that suits the data set.
    held_out : float
        The share of the training images that validates, if that makes enough of them.
    adapts : bool
        Whether the recipe is changed for few images, and for other sides.
    """

    meaning: str
    recipe: Recipe
    network: str = ""
    held_out: float = _USUAL_SHARE
    adapts: bool = True

    def recipe_for(self, images: int, side: int = SIDE) -> Recipe:
        """The recipe for so many training images with this shorter side.

        Few images come in smaller batches and more often; what is said in pixels grows with the side.
        """
        if not self.adapts:
            return self.recipe
        batch_size = self.recipe.batch_size
        while batch_size // 2 >= _SMALLEST_BATCH and images < batch_size * _FEWEST_BATCHES:
            batch_size //= 2
        steps = -(-images // batch_size)
        epochs = min(max(self.recipe.epochs, -(-_FEWEST_STEPS // steps)), max(_MOST_EPOCHS, self.recipe.epochs))
        return replace(self.recipe, epochs=epochs, batch_size=batch_size, augment=self._augment(side / SIDE))

    def held_out_of(self, images: int, classes: int = 1) -> float:
        """The share of so many training images that validates: none of few, where a handful would choose the epoch.

        None either where so many classes would not keep an image each.
        """
        enough = self.held_out * images >= FEWEST_HELD and round(self.held_out * images) <= images - classes
        return self.held_out if enough else 0.0

    def _augment(self, scale: float) -> str:
        moves = self.recipe.augmentation()
        if moves.is_nothing:
            return ""
        if moves.elastic:
            sigma = max(round(moves.elastic_sigma * scale, 2), 0.5)
            moves = replace(moves, elastic=round(moves.elastic * scale, 2), elastic_sigma=sigma)
        return replace(moves, shift=round(moves.shift * scale, 2)).as_words()


def held_out_instead_of_a_test(images: int, spare: int) -> int:
    """How many of so many training images are held out where no test set says how good a network is.

    A fifth of few, 50 of some hundreds, a twentieth of many; at most those that classes can spare.

    >>> [held_out_instead_of_a_test(images, images - 2) for images in (3, 40, 300, 5000)]
    [1, 8, 50, 250]
    """
    wanted = max(FEWEST_HELD, round(_USUAL_SHARE * images))
    return min(wanted, round(_LARGEST_SHARE * images), spare)


PRESETS = {
    "default": Preset(
        "the data set's usual network, 5 epochs; averaged weights, images moved a little",
        Recipe(
            epochs=5, batch_size=64, optimizer="adamw", learning_rate=4e-3, schedule="one_cycle", weight_decay=0.02,
            label_smoothing=0.1, average=0.99, augment="shift=2,rotation=10,scale=0.1",
        ),
    ),
    "lecture": Preset(
        "the lecture's recipe to the letter: RMSprop 1e-3, batch 64, 5 epochs, no validation",
        Recipe(epochs=5, batch_size=64, optimizer="rmsprop", learning_rate=1e-3),
        held_out=0.0,
        adapts=False,
    ),
    "fast": Preset(
        "the same network in two epochs",
        Recipe(
            epochs=2, batch_size=64, optimizer="adamw", learning_rate=8e-3, schedule="one_cycle", weight_decay=0.02,
            label_smoothing=0.1, average=0.98,
        ),
        held_out=0.0,
    ),
    "best": Preset(
        "a deeper, normalised network; images moved, turned and bent",
        Recipe(
            epochs=24, batch_size=64, optimizer="adamw", learning_rate=4e-3, schedule="one_cycle", weight_decay=0.02,
            label_smoothing=0.1, average=0.999, augment="shift=2,rotation=12,scale=0.12,stretch,shear=8,elastic=0.6",
        ),
        network="deep",
        held_out=0.0,
    ),
}  # fmt: skip


def preset(name: str) -> Preset:
    """The preset of this name; raises `ModelError` for an unknown one."""
    if name not in PRESETS:
        raise ModelError(f"preset: got {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
