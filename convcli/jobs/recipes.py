"""Recipes: the words of a command, by a name; TOML files of the user's, and a few that come with convcli."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convcli.errors import ConvcliError, missing, shortened, shown, suggestion

SHIPPED = Path(__file__).parents[1] / "recipes"
_LONGEST = 100_000  # bytes of a recipe
_DESCRIPTION = "description"


@dataclass(frozen=True)
class Recipe:
    """A recipe as its file has it.

    Attributes
    ----------
    name : str
        The file's, without its suffix.
    description : str
        One line for people; may be empty.
    words : dict
        Texts, or for a word that may be said more than once a list of texts, or True and False.
    path : Path
        The file.
    """

    name: str
    description: str
    words: dict[str, Any]
    path: Path

    @property
    def is_shipped(self) -> bool:
        """Whether it came with convcli."""
        return self.path.parent == SHIPPED


def folder() -> Path:
    """Where the user's own recipes lie."""
    from platformdirs import user_config_path

    return user_config_path("convcli", appauthor=False) / "recipes"


def names() -> list[str]:
    """The names of all recipes in order."""
    return list(_files())


def recipes() -> Iterator[Recipe | ConvcliError]:
    """All recipes in the order of their names; for a file that is none, what is wrong with it."""
    for path in _files().values():
        try:
            yield read_recipe(path)
        except ConvcliError as error:
            yield error


def find_recipe(source: str) -> Recipe:
    """A recipe by its name, the user's before those that came along, or the one in a ``.toml`` file.

    Raises `ConvcliError`: one line that says what is wrong with the name or the file.
    """
    if source.lower().endswith(".toml") or "/" in source or "\\" in source:
        return read_recipe(Path(source))
    files = _files()
    if source not in files:
        near = suggestion(source, files) or f", expected {', '.join(files)}, or a .toml file"
        raise ConvcliError(f"recipe: got {shortened(source)}{near}; your own lie in {shown(folder())}")
    return read_recipe(files[source])


def read_recipe(path: Path) -> Recipe:
    """Read a recipe's file; raises `ConvcliError` that names it."""
    from convcli.architectures.files import parse_toml  # most pictures are filtered without a recipe

    origin = f"recipe {shown(path)}" if path.parent != SHIPPED else f"recipe {path.stem}"
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ConvcliError(f"{origin}: is longer than {_LONGEST:,} bytes, expected a few words")
        document = parse_toml(content.decode("utf-8-sig"), origin, "the words of a command")
    except FileNotFoundError:
        raise ConvcliError(f"recipe {missing(path)}") from None
    except OSError as error:
        raise ConvcliError(f"{origin}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConvcliError(f"{origin}: byte {error.start} is not UTF-8 text, expected a TOML file") from None
    description = document.pop(_DESCRIPTION, "")
    if not isinstance(description, str):
        raise ConvcliError(f"{origin}: {_DESCRIPTION}: got {shortened(description)}, expected a text")
    words = {key: _value(value, f"{origin}: {key}") for key, value in document.items()}
    if not words:
        raise ConvcliError(f"{origin}: has no words, expected some as kernel = 'sharpen'")
    return Recipe(path.stem, " ".join(description.split()), words, path)


def _value(value: Any, what: str) -> Any:
    """A value as the command line would have it: a text, several, or whether a flag is there."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return [each if isinstance(each, str) else str(each) for each in value]
    raise ConvcliError(f"{what}: got {shortened(value)}, expected a text, a number, true or false, or a list of these")


def _files() -> dict[str, Path]:
    found = {path.stem: path for path in SHIPPED.glob("*.toml")}
    try:
        own = {path.stem: path for path in folder().glob("*.toml")}
    except OSError:
        own = {}
    return dict(sorted((found | own).items()))
