"""The data sets that convcli knows by name: their files, checksums, mirrors, classes, licences. Data, no reading.

Checksums are those of the files as distributed; MNIST's content has a checksum of its own, because it circulates in
many compressions. Sources: the data sets' own pages (``home``) and, for the checksums, the lists of their mirrors.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from convcli.datasets.preprocessing import Preprocessing


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Parameters
    ----------
    name:
        As distributed.
    size:
        Bytes as distributed.
    checksum:
        ``"md5:..."`` or ``"sha256:..."`` of the file as distributed.
    shape:
        Of the array inside, for IDX files.
    content_md5:
        Of the unpacked content, where it is known.
    """

    name: str
    size: int
    checksum: str
    shape: tuple[int, ...] = ()
    content_md5: str = ""

    @property
    def content_size(self) -> int:
        """Bytes of an IDX file once unpacked."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


@dataclass(frozen=True)
class Entry:
    """One data set.

    Parameters
    ----------
    name, title:
        What one types, and what it is.
    format:
        ``"idx"``: four files, images and labels of the training and of the test split. ``"cifar"``: one archive.
    files:
        In the order that the format reads them.
    mirrors:
        Addresses that a file's name is appended to, tried in turn. Empty for a data set that ships with convcli.
    folders:
        Where else than in a folder of its name the files may lie: as another library lays them out.
    counts:
        Images of the training and of the test split.
    """

    name: str
    title: str
    format: Literal["idx", "cifar"]
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    counts: tuple[int, int]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    licence: str
    citation: str
    home: str

    @property
    def ships(self) -> bool:
        """Whether it comes with the package."""
        return not self.mirrors

    @property
    def download_size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


SHIPPED = Path(__file__).parent  # a data set that ships lies in the folder of its name here

_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_DIGITS = tuple("0123456789")
_MNIST_RULE = Preprocessing("digit", 28, 28, 1, box=20, centre="mass")
_SMALL_GREY = Preprocessing("picture", 28, 28, 1, light_on_dark=True)


_MNIST_SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


def _idx_files(
    shapes: tuple[tuple[int, ...], ...],
    sizes: tuple[int, ...],
    checksums: tuple[str, ...],
    contents: tuple[str, ...] = ("", "", "", ""),
) -> tuple[RemoteFile, ...]:
    return tuple(map(RemoteFile, _IDX, sizes, checksums, shapes, contents))


MNIST = Entry(
    name="mnist",
    title="handwritten digits",
    format="idx",
    files=_idx_files(
        _MNIST_SHAPES,
        (9_912_422, 28_881, 1_648_877, 4_542),
        (
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        (
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    folders=("MNIST/raw",),
    counts=(60_000, 10_000),
    classes=_DIGITS,
    preprocessing=_MNIST_RULE,
    licence="CC BY-SA 3.0",
    citation="Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998",
    home="http://yann.lecun.com/exdb/mnist/",
)

FASHION = Entry(
    name="fashion-mnist",
    title="photographs of clothes",
    format="idx",
    files=_idx_files(
        _MNIST_SHAPES,
        (26_421_880, 29_515, 4_422_102, 5_148),
        (
            "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "md5:25c81989df183df01b3e8a0aad5dffbe",
            "md5:bef4ecab320f06d8554ea6380940ec79",
            "md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    folders=("FashionMNIST/raw",),
    counts=(60_000, 10_000),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    preprocessing=_SMALL_GREY,
    licence="MIT",
    citation="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017",
    home="https://github.com/zalandoresearch/fashion-mnist",
)

KMNIST = Entry(
    name="kmnist",
    title="classical Japanese letters",
    format="idx",
    files=_idx_files(
        _MNIST_SHAPES,
        (18_165_135, 29_497, 3_041_136, 5_120),
        (
            "md5:bdb82020997e1d708af4cf47b453dcf7",
            "md5:e144d726b3acfaa3e44228e80efcd344",
            "md5:5c965bf0a639b31b8f53240b1b52f4d7",
            "md5:7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    folders=("KMNIST/raw",),
    counts=(60_000, 10_000),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    preprocessing=_SMALL_GREY,
    licence="CC BY-SA 4.0",
    citation="T. Clanuwat et al., Deep Learning for Classical Japanese Literature, arXiv:1812.01718, 2018",
    home="http://codh.rois.ac.jp/kmnist/",
)

CIFAR10 = Entry(
    name="cifar10",
    title="small photographs of ten things",
    format="cifar",
    files=(RemoteFile("cifar-10-binary.tar.gz", 170_052_171, "md5:c32a1d4ab5d03f1284b67883e8d87530"),),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    folders=("cifar-10-batches-bin",),
    counts=(50_000, 10_000),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    preprocessing=Preprocessing("picture", 32, 32, 3),
    licence="free for research, with citation",
    citation="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
)

DIGITS = Entry(
    name="digits",
    title="handwritten digits, 8x8, part of convcli",
    format="idx",
    files=_idx_files(
        ((1_437, 8, 8), (1_437,), (360, 8, 8), (360,)),
        (35_672, 135, 9_003, 119),
        (
            "md5:483cc51ee83967d6cdbbff830dda1054",
            "md5:1034eca47fcadb1495fc4da3da490c0b",
            "md5:697931684f3813cc0d10f977acaefc4e",
            "md5:5931393b1794e36dd216ca8681b2a489",
        ),
        (
            "7f0c9ab9939c9fa77b26579f61a1549e",
            "cde1decbe58ddf5d702ae9ce67ea98eb",
            "da08d5789f963570ac9c625b0d055f9b",
            "4ebe13fc8908fbebeac459f0aa9a6d68",
        ),
    ),
    mirrors=(),
    folders=(),
    counts=(1_437, 360),
    classes=_DIGITS,
    preprocessing=Preprocessing("digit", 8, 8, 1, box=8, centre="box"),
    licence="CC BY 4.0",
    citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, doi:10.24432/C50P49",
    home="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
)

ENTRIES = {entry.name: entry for entry in (DIGITS, MNIST, FASHION, KMNIST, CIFAR10)}


def find_entry(name: str) -> Entry | None:
    """The data set that a word means: ``Fashion_MNIST`` is ``fashion-mnist``, ``cifar-10`` is ``cifar10``."""
    plain = _plain(name)
    return next((entry for key, entry in ENTRIES.items() if _plain(key) == plain), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
