"""Trains the judge of `convcli.datasets.judge` with convcli's own engine and writes its file.

``python tests/digit_judge.py`` puts scenes together (`digit_scenes`, with strokes of MNIST's training images), cuts the
candidates out of them as the finder does, and trains on their views. A candidate is a digit if it covers the ink of one
and nothing else; those in between are left out. Pages of `digit_pages` are for measuring: it never sees one. Putting
together 84,000 candidates takes half an hour of processor time (``--processes 2`` and ``--candidates kept.npz`` help),
training on them three minutes.
"""

import argparse
import sys
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from digit_pages import real_hands
from digit_scenes import Writers, crop_of, scene_of

from convcli.datasets import load
from convcli.datasets.ink import is_flat, to_grey
from convcli.datasets.judge import JUDGE, SIDE, views
from convcli.datasets.search import found_at_the_border, found_inside, looked_at_closer, shrunken

ARCHITECTURE = ["conv:32,kernel=3,stride=2,padding=same,relu", "conv:48,kernel=3,stride=2,padding=same,relu",
                "conv:64,kernel=3,stride=2,padding=same,relu", "flatten", "dense:1,sigmoid"]  # fmt: skip
RIGHT, WRONG = 0.85, 0.65  # of a digit's ink and of a candidate's, which must be in both


def spread(mask, steps):
    """Truth values grown by some pixels."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = np.max([padded[1 + y : 1 + y + mask.shape[0], 1 + x : 1 + x + mask.shape[1]]
                       for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)  # fmt: skip
    return mask


def agreement(amount, ink):
    """The smaller of two shares: how much of a candidate lies on ink, and how much of the ink in the candidate."""
    steps = max(1, round(max(ink.shape) / 112))
    of_candidate = (amount * spread(ink > 0.3, steps)).sum() / max(amount.sum(), 1e-6)
    of_ink = (ink * spread(amount > 0.3, steps)).sum() / max(ink.sum(), 1e-6)
    return min(of_candidate, of_ink)


def resized(mask, shape):
    small = Image.fromarray(mask.astype(np.float32))
    return np.asarray(small.resize(shape[::-1], Image.Resampling.BOX), np.float64)


def examples_of(pixels, masks, rng):
    """Views of the candidates of a picture, and whether each is a digit."""
    for by_colour in (False, True):
        grey = to_grey(pixels, False, by_colour=by_colour)
        small = shrunken(grey)
        if is_flat(small) or (by_colour and rng.random() < 0.75):
            continue
        inks = [resized(mask, small.shape) for mask in masks]
        found = [*found_inside(small, []), *found_at_the_border(small, [])]
        for each in found:
            share = max((agreement(each.strokes.amount, ink) for ink in inks), default=0)
            if share >= RIGHT or share < WRONG:
                yield views(each.strokes, each.grey, small), share >= RIGHT
        for each in [found[number] for number in rng.permutation(len(found))[:2]]:
            share = max((agreement(each.strokes.amount, ink) for ink in inks), default=0)
            for closer in looked_at_closer(grey, small, each) or ():
                if share >= 0.75 or share < 0.4:
                    yield views(closer.strokes, closer.grey, small), share >= 0.75


@lru_cache(maxsize=1)
def all_writers():
    hands = real_hands("train")
    if hands.images is None:
        raise SystemExit("MNIST is not at hand: set CONVCLI_DATA_DIR to the folder of its four files")
    return Writers(hands.images, load("digits").train.images[..., 0])


def examples_number(number, scenes, seed):
    """The views and labels of a scene, or of a close crop where the number is beyond the scenes'."""
    pixels, masks = (scene_of if number < scenes else crop_of)(number, seed, all_writers())
    return [*examples_of(pixels, masks, np.random.default_rng([seed, number, 6]))]


def gather(scenes, crops, seed, processes):
    """Views (N, 28, 28, 4), labels (N,) and the scenes (N,) they are from, of so many scenes and close crops."""
    seen, labels, numbers = [], [], []
    make = partial(examples_number, scenes=scenes, seed=seed)
    with get_context("spawn").Pool(processes) as pool:
        for number, examples in enumerate(pool.imap(make, range(scenes + crops), chunksize=50)):
            for view, right in examples:
                seen.append(view)
                labels.append(right)
                numbers.append(number)
    return np.array(seen), np.array(labels), np.array(numbers)


def gathered(options):
    """The candidates, from a file if there is one already."""
    if options.candidates and options.candidates.exists():
        with np.load(options.candidates) as kept:
            return kept["seen"], kept["labels"], kept["scenes"]
    seen, labels, scenes = gather(options.scenes, options.crops, options.seed, options.processes)
    if options.candidates:
        np.savez(options.candidates, seen=seen, labels=labels, scenes=scenes)
    return seen, labels, scenes


def train(seen, labels, scenes, epochs, seed):
    from convcli.nn.model import Model
    from convcli.nn.recipe import Recipe
    from convcli.nn.training import Examples, Listener, Training

    held = scenes % 17 == 3
    model = Model.from_layers(ARCHITECTURE, (SIDE, SIDE, 4), seed=seed)
    recipe = Recipe(epochs=epochs, batch_size=64, optimizer="adamw", learning_rate=0.003, schedule="one_cycle",
                    weight_decay=0.05, average=0.99, augment="shift=1,rotation=6,scale=0.08", seed=seed)  # fmt: skip

    def parts(chosen):
        return Examples(seen[chosen].astype(np.float32) / 255, labels[chosen].astype(np.float32)[:, None])

    training = Training(model, recipe, parts(~held), parts(held))
    training.run(Listener(epoch_ends=lambda each: print(each.history[-1], flush=True)))
    training.finish()
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=8000)
    parser.add_argument("--crops", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--processes", type=int, default=1, help="that put scenes together; the result is the same")
    parser.add_argument("--candidates", type=Path, help="a .npz file to keep them in, or to take them from")
    parser.add_argument("--output", type=Path, default=JUDGE)
    options = parser.parse_args()
    from convcli.nn.tensors import write_tensors

    seen, labels, scenes = gathered(options)
    print(f"{len(seen)} candidates, {labels.mean():.1%} of them digits")
    model = train(seen, labels, scenes, options.epochs, options.seed)
    arrays = {name: parameter.value.astype(np.float16) for name, parameter in model.parameters.items()}
    write_tensors(options.output, arrays, {"from": "tests/digit_judge.py"}, overwrite=True)


if __name__ == "__main__":
    main()
