"""Folders of pairs: masks of every kind of file are the same classes, in the same places as their pictures' pixels."""

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.datasets import load
from convcli.errors import DataError

HEIGHT, WIDTH = 12, 20
GENERATOR = np.random.default_rng(5)
PICTURES = GENERATOR.integers(0, 256, (4, HEIGHT, WIDTH), np.uint8)
MASKS = (PICTURES > 120).astype(np.uint8)


def palette(colours, **words):
    def write(mask, path):
        picture = Pillow.fromarray(mask, "P")
        picture.putpalette([part for colour in colours for part in colour])
        picture.save(path, **words)

    return write


def upside_down(mask, path):
    """Stored the other way round, as its orientation says."""
    exif = Pillow.Exif()
    exif[0x0112] = 3
    palette([(0, 0, 0), (9, 200, 9)], exif=exif)(np.ascontiguousarray(mask[::-1, ::-1]), path)


def shuffled(mask, path):
    """A palette of its own for each file, so that only its colours mean something."""
    turned = int(path.stem[-1]) % 2
    palette([(0, 0, 0), (200, 0, 0)][:: -1 if turned else 1])(mask ^ turned, path)


def png(make):
    return lambda mask, path: Pillow.fromarray(make(mask)).save(path)


# How a mask is written, and what its two classes are called.
KINDS = {
    "0 and 1": (png(lambda m: m), "0 1"),
    "0 and 255": (png(lambda m: m * 255), "0 255"),
    "1 bit": (png(lambda m: m.astype(bool)), "0 255"),
    "16 bits": (png(lambda m: m.astype(np.uint16) * 700), "0 700"),
    "red": (png(lambda m: np.dstack([m * 255, m * 0, m * 0])), "#000000 #ff0000"),
    "grey RGBA": (png(lambda m: np.dstack([m * 90] * 3 + [m * 0 + 255])), "0 90"),
    "alpha": (png(lambda m: np.dstack([m * 0] * 3 + [m * 255])), "0 255"),
    "palette": (palette([(0, 0, 0), (9, 200, 9)]), "0 1"),
    "palette, to be turned": (upside_down, "0 1"),
    "palettes that differ": (shuffled, "#000000 #c80000"),
    "soft": (
        png(
            lambda m: (m * 228 + np.arange(WIDTH)[:, np.newaxis].T + np.arange(HEIGHT)[:, np.newaxis] % 8).astype(
                np.uint8
            )
        ),
        "0 255",
    ),  # as JPEG makes them
    "twice as large": (png(lambda m: m.repeat(2, 0).repeat(2, 1)), "0 1"),
    "array": (lambda m, path: np.save(path.with_suffix(".npy"), m.astype(bool)), "0 1"),
}


def make(root, save=KINDS["0 and 255"][0], folders=("images", "masks"), name="{}.png", targets=MASKS):
    for each in folders:
        (root / each).mkdir(parents=True)
    for number, (picture, target) in enumerate(zip(PICTURES, targets, strict=True)):
        Pillow.fromarray(picture).save(root / folders[0] / f"{number}.png")
        save(target, root / folders[1] / name.format(number))
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mask_is_the_same_classes(tmp_path, kind):
    save, classes = KINDS[kind]
    found = load(make(tmp_path / "set", save))
    assert (found.targets, found.classes) == ("masks", tuple(classes.split()))
    assert np.array_equal(found.train.labels, MASKS) and np.array_equal(found.train.images[..., 0], PICTURES)
    # Another set that shows one of the classes only, as a model that knows both reads it.
    other = make(tmp_path / "other", save, targets=MASKS * 0)
    again = load(other, rule=found.preprocessing, classes=found.classes, targets="masks")
    assert again.classes == found.classes and not again.train.labels.any()
    scaled = load(tmp_path / "set", size=(HEIGHT // 2, WIDTH // 2)).train.labels
    assert np.array_equal(scaled, MASKS[:, 1::2, 1::2])


def test_where_pairs_lie_and_how_they_are_called(tmp_path):
    for name, folders, files in (
        ("a", ("train/images", "train/masks"), "{}.png"), ("b", ("images/train", "masks/train"), "{}.png"),
        ("c", ("train_images", "train_masks"), "{}_mask.png"),
        ("d", ("JPEGImages", "SegmentationClass"), "mask_{}.png"),
        ("e", ("inner/x", "inner/y"), "{}_gt.png"), ("f", ("images", "masks"), "mask{}.png"),
    ):  # fmt: skip
        root = make(tmp_path / name, folders=folders, name=files)
        assert len(load(root).train) == 4, name
        for split in ("val", "test") if "train" in folders[0] and folders[0] != "train_images" else ():
            make(root, folders=[each.replace("train", split) for each in folders], name=files)
            assert load(root).validation is not None
    root = make(tmp_path / "two")
    assert len(load(root / "images", labels=str(root / "masks")).train) == 4
    lines = [f"images/{n}.png,masks/{n}.png,{'train' if n else 'test'}" for n in range(4)]
    (root / "list.csv").write_text("\n".join(["image,mask,split", *lines]))
    listed = load(root / "list.csv")
    assert (listed.targets, len(listed.train), len(listed.test)) == ("masks", 3, 1)


def test_noisy_beside_clean_pictures_and_volumes_beside_masks(tmp_path):
    clean = make(tmp_path / "dirty", png(lambda p: p), ("noisy", "clean"), targets=PICTURES // 2)
    found = load(clean)
    assert found.targets == "arrays" and np.array_equal(found.train.labels[..., 0], PICTURES // 2 / np.float32(255))
    assert load(clean, targets="classes").classes == ("clean", "noisy")
    pages = make(tmp_path / "pages", folders=("noisy", "clean"))  # black and white, and no masks all the same
    assert load(pages).targets == "arrays" and load(pages, targets="masks").classes == ("0", "255")
    volumes = GENERATOR.random((3, 6, 8, 7)).astype(np.float32)
    for place, volume in enumerate(volumes):
        for name, array in (("images", volume), ("masks", volume > 0.5)):
            (tmp_path / "volumes" / name).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "volumes" / name / f"{place}.npy", array)
    found = load(tmp_path / "volumes")
    assert (found.targets, found.shape) == ("masks", (6, 8, 7, 1))
    assert np.array_equal(found.train.labels, volumes > 0.5)


def test_what_has_no_partner_or_another_form_is_told(tmp_path):
    root = make(tmp_path / "set")
    (root / "masks" / "3.png").unlink()
    Pillow.fromarray(MASKS[0, :7]).save(root / "masks" / "1.png")
    found = load(root)
    assert [name[-5:] for name in found.train.names] == ["0.png", "2.png"] and len(found.train.labels) == 2
    assert "1 file without a partner left out: " in found.notes[1]
    assert "1.png: got a mask of 7x20 for a picture of 12x20, expected the same form" in found.notes[2]
    for strict, targets in ((True, MASKS), (False, MASKS * 0)):
        with pytest.raises(DataError, match="without a partner" if strict else "masks of one class, 0"):
            load(root if strict else make(tmp_path / "one", targets=targets), strict=strict)
    # A name that tells no partner stands in nobody's way.
    Pillow.fromarray(PICTURES[0]).save(root / "images" / "image.png")
    assert len(load(root).train) == 2
    # Folders that are called so by chance are classes.
    (root / "dogs").mkdir()
    Pillow.fromarray(PICTURES[0]).save(root / "dogs" / "0.png")
    assert load(root).classes == ("dogs", "images", "masks")
