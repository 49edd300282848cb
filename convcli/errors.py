"""The errors a user can cause. Each message is one line: what, got, expected and, where there is one, the fix.

The command line prints them as ``Error: ...``; a Python caller catches `ConvcliError`. All are `ValueError`s, so code
that expects numpy's habits keeps working. A programming mistake of ours is never one of these.
"""


class ConvcliError(ValueError):
    """A request that cannot be carried out as asked; the message says what, got, expected and the fix."""


class ShapeError(ConvcliError):
    """An array, a window or a layer that does not fit: sizes, strides, paddings, dilations, channel counts."""


class KernelError(ConvcliError):
    """A kernel specification that cannot be read or weights that cannot be used."""


class ImageError(ConvcliError):
    """A picture or volume file that cannot be read or written as asked."""


class ModelError(ConvcliError):
    """A network description or a weights file that cannot be used."""


class DataError(ConvcliError):
    """A data set that is missing, damaged or not what it claims to be."""
