"""Ink to light: CMYK pixels become RGB, through the file's colour profile where it has one."""

import io

import numpy as np
import numpy.typing as npt

from convcli.images.icc import whole

_ROWS = 256


def to_rgb(ink: npt.NDArray[np.uint8], icc: bytes | None) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Convert (H, W, 4) uint8 CMYK, 255 = full ink, to (H, W, 3) uint8 sRGB.

    Of a damaged profile ``icc`` may be what is left of it, or empty.
    With a CMYK profile: relative to paper white with black point compensation (Little CMS, through Pillow).
    Without: ``R = (1 - C) (1 - K)`` and so on, and a warning that says so, because no formula knows the inks.
    """
    if icc is not None and icc[16:20] == b"CMYK":
        converted = _through_profile(ink, icc)
        if converted is not None:
            return converted, ()
        reason = "its colour profile is unusable"
    elif icc is not None and whole(icc) is None:
        reason = "its colour profile is damaged"
    else:
        reason = "it has no CMYK colour profile"
    rgb = np.empty((*ink.shape[:2], 3), np.uint8)
    for start in range(0, len(ink), _ROWS):  # in blocks, so that the wide integers stay few
        light = 255 - ink[start : start + _ROWS].astype(np.uint32)
        rgb[start : start + _ROWS] = (light[:, :, :3] * light[:, :, 3:] + 127) // 255
    return rgb, (f"CMYK picture: {reason}, so its colours are approximate: red = (1 - cyan) (1 - black)",)


def _through_profile(ink: npt.NDArray[np.uint8], icc: bytes) -> npt.NDArray[np.uint8] | None:
    from PIL import Image, ImageCms

    height, width = ink.shape[:2]
    picture = Image.frombuffer("CMYK", (width, height), np.ascontiguousarray(ink).tobytes(), "raw", "CMYK", 0, 1)
    try:
        converted = ImageCms.profileToProfile(
            picture,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None
    return None if converted is None else np.array(converted)
