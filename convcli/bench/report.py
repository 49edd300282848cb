"""The walk through the chosen groups: which cases, in which order, and what a run as a whole knows."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from convcli.bench.groups import GROUPS
from convcli.bench.measuring import PAUSE, measure
from convcli.bench.model import Case, Limits, Measurement, Setting

# Groups of whole processes: the machine's limits say nothing about them.
_PROCESSES = ("start", "files")
# Slow, and a whole process hardly varies: so many times unless the user has said.
_FILE_REPEATS = 3


def chosen_groups(names: Sequence[str]) -> list[str]:
    """The named groups in the order of the list; without names all that are not slow."""
    return [name for name, group in GROUPS.items() if (name in names if names else group.usual)]


def cases_of(group: str, setting: Setting) -> list[Case]:
    """A group's cases, not built yet."""
    found: list[Case] = import_module(f"convcli.bench.{GROUPS[group].module}").cases(setting)
    return [case for case in found if case.group == group]


def head_of(group: str, setting: Setting) -> str:
    """One sentence on what a group measures and how."""
    text: str = import_module(f"convcli.bench.{GROUPS[group].module}").head(setting)
    return text


def needs_limits(groups: Sequence[str]) -> bool:
    """Whether the machine's own limits mean anything to these groups."""
    return any(group not in _PROCESSES for group in groups)


def find_limits(setting: Setting) -> Limits:
    """Measure the machine's own limits."""
    from convcli.bench.limits import measure_limits

    return measure_limits(setting.threads, quick=setting.quick)


def measure_cases(
    cases: Sequence[Case], setting: Setting, limits: Limits | None, on_case: Callable[[Case], None] = lambda case: None
) -> Iterator[Measurement]:
    """Build, check and time one case after the other; ``on_case`` is called before each.

    Raises `ConvcliError` where our own side fails.
    """
    for case in cases:
        on_case(case)
        contest = case.build()
        try:
            pause = 0.0 if setting.quick else PAUSE
            yield measure(case, contest, limits, repeats=_repeats(case, setting), pause=pause)
        finally:
            contest.close()


def _repeats(case: Case, setting: Setting) -> int | None:
    if setting.repeats is not None:
        return setting.repeats
    if setting.quick:
        return 2
    return _FILE_REPEATS if case.group == "files" else None
