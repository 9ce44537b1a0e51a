"""Small pieces of English that every error message shares."""

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["did_you_mean", "listed", "one_line", "show", "with_article"]

LONGEST = 60
"""Characters of a value shown in a message: enough to recognise it, and the message stays one line."""


def listed(words: Iterable[str], conjunction: str = "or") -> str:
    """``["a", "b", "c"]`` -> ``"a, b or c"``."""
    *rest, last = list(words)
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last


def with_article(noun: str) -> str:
    """``"augmenter"`` -> ``"an augmenter"``."""
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """``"; did you mean 'squeeze'?"`` for the closest option, or nothing; case, ``-`` and ``_`` don't count."""
    plain = {_plain(option): option for option in sorted(options, reverse=True)}
    close = difflib.get_close_matches(_plain(word), plain, n=1)
    return f"; did you mean {plain[close[0]]!r}?" if close else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")


def one_line(text: str) -> str:
    """Line breaks and runs of blanks become single blanks."""
    return " ".join(text.split())


def show(value: Any) -> str:
    """A value as a user would write it, shortened to fit a message."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = one_line(repr(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
