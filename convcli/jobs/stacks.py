"""Files of several volumes, by time and channel, or of planes that are pictures: one operation on each of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, product, zip_longest
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
from convcli.jobs.volumes import Between, Progress, Ranges, VolumeWork, Work, without_alpha
from convcli.ops.arguments import Array

# A picture is worked on in so many arrays, of numbers of so many bytes.
_ARRAYS, _WORKING = 4, 4
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
        self.clipped, done = 0.0, 0
        for together in volumes_along(self._volume.leading, self.depth):
            works = [self._work(planes, len(together)) for planes in together]
            turns = zip(*(work.planes() for work in works), strict=True)
            for plane in chain.from_iterable(turns):
                yield plane
                done += 1
                progress(done, self.shape[0])
            self.clipped += sum(work.clipped for work in works)

    @property
    def cuttable(self) -> str | None:
        """See `Work.cuttable`."""
        return self.first.cuttable

    def region(self, ranges: Ranges, then: Callable[[], None] = lambda: None) -> Array:
        """See `Work.region`: the part of each of the volumes."""
        out = np.empty([len(each) for each in ranges], self.dtype)
        parts, works = np.moveaxis(out, self.depth, -3), list(self._works(ranges))
        for (at, number, work, part), after in zip_longest(works, works[1:]):
            if self.between:
                work.stretch({0: self.between[number]})
            parts[at] = work.region(part, partial(after[2].ahead, after[3]) if after else then)
            self.clipped += work.clipped
        return out

    def ahead(self, ranges: Ranges) -> None:
        """See `Work.ahead`: of the first of the volumes."""
        _, _, work, part = next(self._works(ranges))
        work.ahead(part)

    def _works(self, ranges: Ranges) -> Iterator[tuple[tuple[int, ...], int, VolumeWork, Ranges]]:
        """Of each volume in a region where it lies there, the number of its first plane, the work, and its region."""
        along, (rows, columns) = list(ranges[:-2]), ranges[-2:]
        depth = along.pop(self.depth)
        places = np.arange(count_of(self._volume.leading)).reshape([size for _, size in self._volume.leading])
        places = np.moveaxis(places, self.depth, -1)
        for index in product(*along):
            planes = places[index]
            at = tuple(each - run.start for each, run in zip(index, along, strict=True))
            yield at, int(planes[0]), self._work(planes, 1), (depth, rows, columns)

    @property
    def wants_extremes(self) -> bool:  # type: ignore[override]
        """See `Work.wants_extremes`."""
        return self.first.wants_extremes

    def extremes(self, ranges: Ranges) -> Between:
        """See `Work.extremes`."""
        return {number: work.extremes(part)[0] for _, number, work, part in self._works(ranges)}

    def working_bytes(self, ranges: Ranges) -> int:
        """See `Work.working_bytes`."""
        return self.first.working_bytes((ranges[self.depth], *ranges[-2:]))

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        others = len(self.leading) - 1
        if axis < others + 1 and axis != self.depth:
            return np.arange(wanted.start, wanted.stop)
        return self.first.sources(0 if axis == self.depth else axis - others, wanted)

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        self.first.clipped = self.clipped / (count_of(self.leading) // self.first.shape[0])
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
        self._format, self._act = format, partial(acted, operation, plan)
        self._warnings: dict[str, list[tuple[int, str]]] = {}
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
            yield self._heard(index, produced)
            progress(index + 1, self.shape[0])

    def _heard(self, index: int, produced: Produced) -> Array:
        self.clipped += produced.details.get("clipped", 0.0)
        for warning in produced.warnings:
            self._warnings.setdefault(kind_of(warning), []).append((index, warning))
        return produced.image.pixels

    def said(self) -> Any:
        """See `Work.said`: the sum of the planes' shares of clipped numbers, and the warnings."""
        said, self._warnings = (super().said(), self._warnings), {}
        return said

    def hear(self, said: Any) -> None:
        """See `Work.hear`."""
        super().hear(said[0])
        for kind, warnings in said[1].items():
            self._warnings.setdefault(kind, []).extend(warnings)

    @property
    def cuttable(self) -> str | None:
        """See `Work.cuttable`."""
        return "planes are pictures, each by itself"

    def region(self, ranges: Ranges, then: Callable[[], None] = lambda: None) -> Array:
        """See `Work.region`."""
        self.ahead(ranges)
        along, across = ranges[:-2], self.shape[1:3]
        out = np.empty([*(len(each) for each in along), *across], self.dtype)
        for place, plane in zip(np.ndindex(*out.shape[:-2]), self._planes(ranges), strict=True):
            image = self._image(plane)
            if not any(place):
                then()
            out[place] = self._heard(plane, self._act(image, self._format))[..., 0]
        return out

    def ahead(self, ranges: Ranges) -> None:
        """See `Work.ahead`."""
        planes = np.array(self._planes(ranges))
        if self._volume.has_room_ahead(len(planes), *self._volume.shape[1:3]):
            self._volume.ahead(planes)

    def working_bytes(self, ranges: Ranges) -> int:
        """See `Work.working_bytes`: what a reader holds, and one plane with what lies between it and its result."""
        count, (height, width) = len(self._planes(ranges)), self._volume.shape[1:3]
        is_ahead = self._volume.has_room_ahead(count, height, width)
        held = self._volume.window_bytes(count if is_ahead else 1, height, width) * (2 if is_ahead else 1)
        return held + _ARRAYS * _WORKING * max(height * width, self.shape[1] * self.shape[2]) * self._channels

    def _planes(self, ranges: Ranges) -> list[int]:
        """The numbers of the planes of a region."""
        sizes, along = [size for _, size in self.leading], ranges[:-2]
        return [int(np.ravel_multi_index(index, sizes)) if index else 0 for index in product(*along)]

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        across = self._volume.shape[1:3]
        at = axis - len(self.leading)
        return np.arange(across[at]) if at >= 0 else np.arange(wanted.start, wanted.stop)

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings, each kind once with a plane it is about, and details, once the planes have been taken."""
        warnings = [self._told(said) for said in self._warnings.values()]
        clipped = self.clipped / self.shape[0]
        details = {name: value for name, value in self._first.details.items() if name != "seconds"}
        return tuple(warnings), details | ({"clipped": round(clipped, 6)} if "clipped" in details else {})

    def _told(self, said: list[tuple[int, str]]) -> str:
        if len({warning for _, warning in said}) == 1 and len(said) == self.shape[0]:
            return said[0][1]
        index, warning = max(said, key=lambda each: share_in(each[1]))
        return f"{warning} (plane {index}" + (f", the most; {len(said) - 1} more alike)" if len(said) > 1 else ")")


@dataclass(frozen=True)
class Begin:
    """How an operation begins on an open file of planes; may be sent to other processes.

    ``volume`` works on what acts along z, y and x, ``image`` on pictures: without the first each plane is one.
    """

    plan: OperationPlan
    image: PictureWork
    volume: Callable[[Volume, Any, str | None], VolumeWork] | None = None

    def __call__(self, opened: Volume, format: str) -> Work:
        """The work on an open file."""
        make = self.volume
        if make is None:
            return EachPlane(opened, self.plan, format, self.image)
        return each_volume(opened, lambda one: make(one, self.plan, format))


def acted(operation: PictureWork, plan: OperationPlan, image: Image, format: str | None) -> Produced:
    """An operation on a picture, which may be sent to other processes as a partial of this."""
    return operation(image, plan, format)
