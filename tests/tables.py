"""Tables of cases that are one test: to hand out and count thousands of a millisecond took longer than to run them."""

import functools
import inspect

import pytest


def each_of(names, cases):
    """As `pytest.mark.parametrize`, but one test, which names the case that fails; its cases share their fixtures."""
    names, cases = names.replace(",", " ").split(), list(cases)

    def one(test):
        @functools.wraps(test)
        def all_of_them(**fixtures):
            assert cases, "no cases"
            for case in cases:
                words = dict(zip(names, case if len(names) > 1 else (case,), strict=True))
                try:
                    test(**fixtures, **words)
                except pytest.skip.Exception as skipped:
                    raise AssertionError(f"skipped in the case {words}, and with it those behind it") from skipped
                except BaseException as problem:
                    problem.add_note(f"in the case {words}")
                    raise

        signature = inspect.signature(test)
        left = [each for name, each in signature.parameters.items() if name not in names]
        all_of_them.__signature__ = signature.replace(parameters=left)
        return all_of_them

    return one
