"""What `features` and `saliency` share: a picture is shown to a model, and what becomes of it is drawn."""

import sys
from collections.abc import Callable
from typing import Any

from convcli.cli import options
from convcli.cli.printing import say, show_result
from convcli.images import MAX_PIXELS, Image, write
from convcli.jobs.classifier import load_classifier
from convcli.jobs.documents import json_text
from convcli.jobs.tasks import STREAM, beside


def draw_what_is_seen(
    model: str,
    image: str,
    output: str | None,
    files: dict[str, Any],
    word: str,
    look: Callable[..., Any],
    draw: Callable[[Any], Image],
) -> None:
    """``look`` at a picture with a model, ``draw`` what it finds beside the picture, unless there is an ``output``.

    ``files`` are the words of `options.one_result`.
    """
    target = output or beside(image, word)
    options.check_picture(target, overwrite=files["overwrite"], sources=(image,))
    options.start_loops(files["threads"], quiet=files["quiet"])
    source = sys.stdin.buffer if image == STREAM else image
    found = look(load_classifier(model), source, max_pixels=files["max_pixels"] or MAX_PIXELS)
    for warning in () if files["quiet"] else found.seen.warnings:
        say(f"Warning: {image}: {warning}")
    write(draw(found), target, overwrite=files["overwrite"])
    show_result(json_text({"output": target} | found.as_dict()) if files["as_json"] else target)
