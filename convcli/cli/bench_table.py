"""The lines that `convcli bench` prints: 80 columns, a row for each case and peer."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from convcli.bench.model import Compared, Limits, Mean, Measurement, Times
from convcli.bench.peers import PEERS
from convcli.bench.programs import ImportCost

_WIDTH = 80
_SHOWN_PACKAGES = 6


def wrapped(text: str) -> list[str]:
    """A sentence in lines of the table's width."""
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def limits_line(limits: Limits) -> str:
    """What the machine does at most."""
    copied, added = limits.bytes / 1e9, 2 * limits.multiply_adds / 1e9
    return (
        f"limits measured now: copying {copied:.1f} GB/s read + written, multiply-adds {added:.0f} GFLOP/s float32; "
        "the last column is the part of the nearer one that convcli reached, c or m"
    )


def isa_line(isa: str, unlimited: Sequence[str]) -> str:
    """What the sides may use, and of whom it is not known that they keep to it."""
    others = ", ".join(PEERS[key].title for key in unlimited)
    return f"no more instructions than {isa}" + (f"; not known of {others}" if others else "")


def heading(images: bool) -> str:
    """The line above the rows."""
    unit = "1000/s" if images else "ms"
    return f"{'':<13} {'ratio':>6} {'against':<19} {f'convcli, {unit}':>16} {'peer (min-max)':>16} limit"


def rows(measured: Measurement) -> Iterator[str]:
    """A line for each peer, those that are not equal without a number; or for us alone."""
    name, ours = measured.name, measured.times
    if ours is not None and not any(each.equal for each in measured.peers):
        yield f"{name:<13} {'':>6} {'(checked alone)':<19} {_times(measured, ours):>16}"
    elif not measured.peers:
        yield f"{name:<13} {'-':>6} no peer here to check it against: not shown"
    for peer in measured.peers:
        yield row(measured, peer)
    if measured.note:
        yield f"  {measured.note}"


def row(measured: Measurement, peer: Compared) -> str:
    """One peer's line."""
    ratio = measured.ratio(peer)
    if ratio is None or measured.times is None or peer.times is None:
        why = peer.failure or f"{peer.difference:.2g} apart, equal up to {measured.tolerance}"
        return f"{measured.name:<13} {'-':>6} {peer.name}: {why}: not shown"
    share = f"{measured.share.part:.0%}{measured.share.of[0]}" if measured.share else ""
    ours, theirs = _times(measured, measured.times), _times(measured, peer.times)
    return f"{measured.name:<13} {_factor(ratio):>6} {peer.name:<19} {ours:>16} {theirs:>16} {share:>5}".rstrip()


def mean_line(mean: Mean) -> str:
    """A geometric mean of ratios."""
    against = PEERS[mean.against].title if mean.against in PEERS else mean.against
    return f"{f'mean of {mean.cases}':<13} {_factor(mean.ratio):>6} {against} ({mean.column})"


def import_lines(costs: Mapping[str, Sequence[ImportCost]]) -> list[str]:
    """What each command imports, milliseconds, the dearest first."""
    lines = []
    for command, packages in costs.items():
        words = [f"{each.package} {each.seconds * 1e3:.0f}" for each in packages[:_SHOWN_PACKAGES]]
        total = sum(each.seconds for each in packages)
        lines += wrapped(f"imports of {command}, ms under -X importtime: {total * 1e3:.0f} = {', '.join(words)} ...")
    return lines


def _times(measured: Measurement, times: Times) -> str:
    """Median (min-max): milliseconds, or thousands of images a second."""
    if measured.images:
        scaled = [measured.images / each / 1e3 for each in (times.median, *times.spread[::-1])]
    else:
        scaled = [each * 1e3 for each in (times.median, *times.spread)]
    if max(scaled) >= 9999.5:
        middle, low, high = (each / 1e3 for each in scaled)
        return f"{middle:.1f}s ({low:.0f}-{high:.0f})"
    words = [_number(each) for each in scaled]
    return f"{words[0]} ({words[1]}-{words[2]})"


def _factor(ratio: float) -> str:
    return f"{_number(ratio)}x"


def _number(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
