"""A dark scheme for a drawing made for white paper: its colours stay what they mean, and texts as readable.

Each colour gets the luminance at which its contrast with every other colour is what it was: a pair that can be read on
white paper can be read on dark. Viewers without style sheets show the drawing as it was made. Standard library only.
"""

import re
from collections.abc import Mapping

DARK_PAPER = "#14161a"
_COLOUR = re.compile(r'\b(fill|stroke)(="|: ?)(#[0-9a-fA-F]{6})\b')
_FLARE = 0.05  # what a screen reflects, as contrasts are defined
_STRONGER = 3.0  # how many times as far from grey a pale tint becomes


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb: 0 is black, 1 white.

    Source: W3C, "Web Content Accessibility Guidelines 2.2", definition of relative luminance.
    """
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def darkened(colour: str) -> str:
    """The colour that a drawing's colour becomes in the dark scheme.

    >>> darkened("#ffffff"), darkened("#000000")
    ('#14161a', '#ffffff')
    """
    if colour.lower() == "#ffffff":
        return DARK_PAPER
    given = luminance(colour)
    wanted = min(_BRIGHTEST / (given + _FLARE) - _FLARE, 1.0)
    # Its hue, as what red, green and blue have more or less than grey. A pale tint would hardly be seen in the dark: it
    # gets stronger, as far as no light becomes negative; what would be brighter than a screen gets paler.
    hue = [(each - given) / given for each in _linear(colour)] if given > 0 else [0.0, 0.0, 0.0]
    strength = max(min(_STRONGER, 0.9 / max(-min(hue), 1e-9)), 1.0) if wanted < given else 1.0
    strength = min(strength, (1 / wanted - 1) / max(max(hue), 1e-9))
    return "#" + "".join(f"{_as_byte(wanted * (1 + strength * each)):02x}" for each in hue)


def with_dark_scheme(svg: str, unsaid: Mapping[str, tuple[str, str]] | None = None) -> str:
    """An SVG that follows whoever looks at it: a style sheet turns each of its colours where dark is preferred.

    ``unsaid`` are colours that the text of the file does not say: a selector, the property and its colour.
    """
    rules = {where: f"{name}: {darkened(colour)}" for where, (name, colour) in (unsaid or {}).items()}
    for name, joint, colour in _COLOUR.findall(svg):
        where = f'{name}="{colour}"' if joint == '="' else f'style*="{name}{joint}{colour}"'
        rules[f"[{where}]"] = f"{name}: {darkened(colour)} !important"
    body = " ".join(f"{where} {{ {rule} }}" for where, rule in sorted(rules.items()))
    style = f"<style>@media (prefers-color-scheme: dark) {{ {body} }}</style>"
    opening = re.search(r"<svg\b[^>]*>", svg)
    if opening is None or not rules:
        return svg
    return f"{svg[: opening.end()]}\n{style}{svg[opening.end() :]}"


def _linear(colour: str) -> list[float]:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares]


def _as_byte(linear: float) -> int:
    share = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(max(share, 0.0), 1.0))


_BRIGHTEST = (1 + _FLARE) * (luminance(DARK_PAPER) + _FLARE)
