"""``python -m tests.fuzz --minutes 60``: fuzz convcli, from the project's folder."""

import argparse
import collections
import sys
import time
from pathlib import Path

from .kinds import KINDS
from .workers import Worker


def main():
    """Try cases until the time is over; exit code 1 if anything was found."""
    options = _options()
    worker = Worker(options.seed)
    counts, findings = collections.Counter(), collections.Counter()
    kinds = options.only or list(KINDS)
    started = time.monotonic()
    spent = dict.fromkeys(kinds, 0.0)
    try:
        while spent and not _is_over(options, started):
            # Each kind has the same share of the time: quick ones have many more cases than those that train.
            kind = min(spent, key=spent.__getitem__)
            number = options.start + counts[kind]
            began = time.monotonic()
            problems, detail = worker.answer(kind, number)
            spent[kind] += time.monotonic() - began
            counts[kind] += 1
            if problems:
                findings[kind] += 1
                _report(options, kind, number, problems, detail)
            if counts[kind] == options.rounds:
                del spent[kind]
            _progress(started, counts, findings)
    except KeyboardInterrupt:
        print("\ninterrupted")
    finally:
        worker.close()
    print(f"\n{'kind':<16}{'inputs':>10}{'findings':>10}")
    for kind in kinds:
        print(f"{kind:<16}{counts[kind]:>10,}{findings[kind]:>10,}")
    print(f"{'all':<16}{counts.total():>10,}{findings.total():>10,}")
    print(f"{time.monotonic() - started:.0f} seconds, seed {options.seed}, numbers from {options.start}")
    return 1 if findings else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default 1)")
    parser.add_argument("--rounds", type=int, help="how many cases of each kind, instead of minutes")
    parser.add_argument("--seed", type=int, default=1, help="other seeds make other cases (default 1)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="begin with case number N")
    parser.add_argument("--only", action="append", choices=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--findings", type=Path, metavar="FOLDER", help="write a folder for each finding here")
    return parser.parse_args()


def _is_over(options, started):
    return options.rounds is None and time.monotonic() - started > 60 * options.minutes


def _report(options, kind, number, problems, detail):
    title = f"{kind}, seed {options.seed}, number {number}"
    print(f"\r\x1b[K{title}: {' | '.join(problems)[:400]!a}", flush=True)
    if options.findings:
        case = KINDS[kind](options.seed, number)
        case.save(options.findings / f"{kind}-{options.seed}-{number}", title, problems, detail)


def _progress(started, counts, findings):
    if sys.stderr.isatty():
        seconds = time.monotonic() - started
        words = f"{counts.total():,} inputs, {findings.total()} findings, {counts.total() / seconds:.0f} a second"
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
