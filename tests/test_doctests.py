"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_examples_of_docstrings_hold(example_module):
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(example_module)):
        runner.run(example, out=report.append, clear_globs=True)
    assert runner.tries, f"{example_module} has a prompt in its text but no example in a docstring"
    assert not runner.failures, "".join(report)
