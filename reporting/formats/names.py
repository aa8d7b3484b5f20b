"""Names for formats that allow few characters: the same ones each time, unique, and readable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

LONGEST_XPT_NAME, LONGEST_STATA_NAME = 8, 32
# Names that Stata keeps for itself ([U] 11.3), and SPSS.
STATA_WORDS = frozenset(
    {"_all", "_b", "byte", "_coef", "_cons", "double", "float", "if", "in", "int", "long", "_n"}
    | {"_pi", "_pred", "_rc", "_skip", "strl", "using", "with"}
    | {f"str{length}" for length in range(1, 2046)}
)
SPSS_WORDS = frozenset(
    ("all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with")
)


def shortened(
    names: Iterable[str], longest: int, *, reserved: Collection[str] = ()
) -> dict[str, str]:
    """Each name in at most `longest` characters, in the order given, none of them `reserved`.

    Short names stay. Of others each word keeps its first letter, vowels go first, then the ends of
    the longest words; where two come out alike the later ends in a number.

    >>> shortened(["suvmax", "suvmax_derivation", "suvmax_derivative"], 8)
    {'suvmax': 'suvmax', 'suvmax_derivation': 'svmxdrvt', 'suvmax_derivative': 'svmxdrv2'}
    """
    given, kept_free = list(names), {word.upper() for word in reserved}
    result = {
        name: name for name in given if len(name) <= longest and name.upper() not in kept_free
    }
    taken = {name.upper() for name in result} | kept_free
    for name in given:
        if name not in result:
            result[name] = _free(_short(name, longest), longest, taken)
            taken.add(result[name].upper())
    return {name: result[name] for name in given}


def _short(name: str, longest: int) -> str:
    words = [word for word in name.split("_") if word]
    if sum(map(len, words)) > longest:
        words = [word[0] + re.sub("[aeiou]", "", word[1:]) for word in words]
    while sum(map(len, words)) > longest:
        lengths = [len(word) for word in words]
        longer = lengths.index(max(lengths))
        if lengths[longer] == 1:
            break
        words[longer] = words[longer][:-1]
    return "".join(words)[:longest]


def _free(name: str, longest: int, taken: set[str]) -> str:
    found, number = name, 1
    while found.upper() in taken:
        number += 1
        found = f"{name[: longest - len(str(number))]}{number}"
    return found
