"""Files of several volumes, by time and channel, or of planes that are pictures: one operation on each of them."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from convcli.errors import kind_of, share_in
from convcli.geometry import Placement
from convcli.images import Image
from convcli.images.animation_writing import ANIMATED
from convcli.images.volume_axes import count_of, depth_of, volumes_along
from convcli.images.volume_model import Volume
from convcli.jobs.axes import OperationPlan
from convcli.jobs.batch import Produced, produce
from convcli.jobs.volumes import Progress, VolumeWork, Work, without_alpha
from convcli.ops.arguments import Array

# An operation on a picture: with its plan, and the format to be written.
PictureWork = Callable[[Image, Any, str | None], Produced]


class EachVolume(Work):
    """The same operation on each volume of a file of several, by time or channel; their planes take turns as before.

    ``begin`` makes the work on one volume of it.
    """

    def __init__(self, volume: Volume, begin: Callable[[Volume], VolumeWork]) -> None:
        self.depth, self._volume, self._begin = depth_of(volume.leading), volume, begin
        self.first = self._work(next(volumes_along(volume.leading, self.depth))[0], 1)
        self.leading = tuple(
            (letter, self.first.shape[0] if axis == self.depth else size)
            for axis, (letter, size) in enumerate(volume.leading)
        )
        self.shape = (count_of(self.leading), *self.first.shape[1:])
        self.dtype, self.places = self.first.dtype, self.first.places

    def _work(self, planes: Array, beside: int) -> VolumeWork:
        return self._begin(self._volume.part(planes, (self._volume.leading[self.depth],), beside=beside))

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        clipped, volumes, done = 0.0, 0, 0
        for together in volumes_along(self._volume.leading, self.depth):
            works = [self._work(planes, len(together)) for planes in together]
            turns = zip(*(work.planes() for work in works), strict=True)
            for plane in chain.from_iterable(turns):
                yield plane
                done += 1
                progress(done, self.shape[0])
            clipped, volumes = clipped + sum(work.clipped for work in works), volumes + len(works)
        self.first.clipped = clipped / volumes

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        return self.first.report()


def each_volume(volume: Volume, begin: Callable[[Volume], VolumeWork]) -> Work:
    """The work on a file's volume, or on each of them."""
    return begin(volume) if len(volume.leading) == 1 and depth_of(volume.leading) == 0 else EachVolume(volume, begin)


class EachPlane(Work):
    """An operation on pictures, on every plane by itself.

    The first is worked on at once, since the size of the results is known from it.
    """

    def __init__(self, volume: Volume, plan: OperationPlan, format: str, operation: PictureWork) -> None:
        shows_alpha = format in ANIMATED and volume.metadata.format in ANIMATED and plan.background is None
        self._volume, self._name = volume if shows_alpha else without_alpha(volume, plan), plan.name
        self._keeps_alpha = shows_alpha and volume.has_alpha
        self._channels = self._volume.shape[3] - (self._volume.has_alpha and not self._keeps_alpha)
        self._format, self._act = format, partial(_acted, operation, plan)
        self._warnings: dict[str, list[tuple[int, str]]] = {}
        self._clipped: list[float] = []
        self._first = produce(self._act, self._image(0), format)
        pixels, self.has_alpha = self._first.image.pixels, self._first.image.has_alpha
        down, across = self._first.image.placement
        self.leading, self.places = self._volume.leading, (Placement(), down, across)
        self.shape, self.dtype = (self._volume.shape[0], *pixels.shape), pixels.dtype

    def _image(self, index: int) -> Image:
        plane = self._volume.planes([index])[0][..., : self._channels]
        return Image(np.ascontiguousarray(plane), self._keeps_alpha, numbers=self._volume.numbers)

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        for index in range(self.shape[0]):
            produced = self._first if index == 0 else self._act(self._image(index), self._format)
            self._clipped.append(produced.details.get("clipped", 0.0))
            for warning in produced.warnings:
                self._warnings.setdefault(kind_of(warning), []).append((index, warning))
            yield produced.image.pixels
            progress(index + 1, self.shape[0])

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings, each kind once with a plane it is about, and details, once the planes have been taken."""
        warnings = [self._told(said) for said in self._warnings.values()]
        clipped = float(np.mean(self._clipped))
        details = {name: value for name, value in self._first.details.items() if name != "seconds"}
        return tuple(warnings), details | ({"clipped": round(clipped, 6)} if "clipped" in details else {})

    def _told(self, said: list[tuple[int, str]]) -> str:
        if len({warning for _, warning in said}) == 1 and len(said) == self.shape[0]:
            return said[0][1]
        index, warning = max(said, key=lambda each: share_in(each[1]))
        return f"{warning} (plane {index}" + (f", the most; {len(said) - 1} more alike)" if len(said) > 1 else ")")


def _acted(operation: PictureWork, plan: OperationPlan, image: Image, format: str | None) -> Produced:
    return operation(image, plan, format)
