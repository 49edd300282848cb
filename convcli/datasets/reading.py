"""What a user, or a network, says about data that their files do not say themselves."""

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convcli.datasets.model import Targets
from convcli.datasets.preprocessing import Preprocessing

if TYPE_CHECKING:
    from convcli.datasets.picture_files import Elsewhere


@dataclass(frozen=True)
class Reading:
    """How data are to be read.

    Parameters
    ----------
    labels:
        Of a table: the column of the labels, by name or by number from 1 on, or several with commas between. Of an
        array: the file of its labels.
    input:
        The shape of one sample, spatial sizes and then channels, where files do not tell.
    hint:
        The same of a network that was asked for: taken where rows of numbers would make it.
    size, channels:
        Of a folder's pictures: height and width, and 1 or 3, where the network has decided already.
    rule:
        How the network that will see the samples wants them, instead of all that.
    validation:
        A folder or a file of samples to measure by while training.
    strict:
        Whether a file that cannot be used stops everything, instead of being left out and counted.
    targets:
        What the labels are, where they do not show it.
    classes:
        Of that network: their names, in its order.
    elsewhere:
        What opens pictures, as that network wants them, in other processes.
    """

    labels: str = ""
    input: tuple[int, ...] | None = None
    hint: tuple[int, ...] | None = None
    size: tuple[int, int] | None = None
    channels: int | None = None
    rule: Preprocessing | None = None
    validation: str = ""
    strict: bool = False
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    elsewhere: "Elsewhere | None" = None


AS_IT_IS = Reading()


def plain_name(name: str) -> str:
    """A name in the one Unicode form in which names are compared: file systems keep either.

    >>> plain_name("re\\u0301sume\\u0301") == "r\\xe9sum\\xe9"
    True
    """
    return unicodedata.normalize("NFC", name)
