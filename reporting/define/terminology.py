"""The lists of CDISC's terminology that variables refer to, read from terminology.txt.

Not every term of a list is there, only what this program and its forms write: a value that is not
may be a term nonetheless, and the description of its list says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from reporting.define.model import Codelist, Standard, Term

CDISC = "CDISC/NCI"
SDTM_TERMS = Standard("CT.SDTM", CDISC, "CT", "2025-03-28", "SDTM")
_UNKNOWN = (
    "Without a code in the thesaurus, and marked as extending the list: {values}. Those are terms "
    "of the sponsor or words of a form of the trial; whether the terminology has a word of a form "
    "was not looked up."
)
_FIXED = "The list may not be extended, and does not have: {values}."
_SEVERAL = "The variable takes terms of {lists}."


@dataclass(frozen=True, slots=True)
class Known:
    """A list: its code, whether sponsors may extend it, its title, and codes of terms by value."""

    name: str
    code: str
    is_extensible: bool
    title: str
    terms: Mapping[str, str]


def codelist(
    names: str, values: Iterable[str], *, of: str = "", decodes: Mapping[str, str] | None = None
) -> Codelist | None:
    """The list of these values, as terms of `names`, parted by a semicolon if it is several.

    `of` tells lists apart that hold other values of the same terminology, as the units of one
    dataset. Without values the terms that are known; of a list of which none is, nothing.
    """
    lists = [known()[name] for name in names.split(";")]
    stated = sorted({one for one in values if one})
    if not stated:
        stated, of = sorted(value for one in lists for value in one.terms), ""
    if not stated:
        return None
    codes = {value: code for one in lists for value, code in one.terms.items()}
    whole = len(lists) == 1
    terms = tuple(
        Term(one, (decodes or {}).get(one, ""), codes.get(one, ""), one not in codes)
        for one in stated
    )
    title = ", ".join(one.title for one in lists)
    return Codelist(
        key=".".join([*names.split(";"), *([of] if of else [])]),
        name=f"{title} ({of})" if of else title,
        # A list made of several is none that was published.
        code=lists[0].code if whole else "",
        standard=SDTM_TERMS.key if whole else "",
        terms=terms if whole else tuple(Term(one.value, one.decode, one.code) for one in terms),
        comment=_comment(lists, [one.value for one in terms if one.is_extended]),
    )


def _comment(lists: list[Known], unknown: list[str]) -> str:
    said = []
    if len(lists) > 1:
        said.append(_SEVERAL.format(lists=", ".join(f"{one.name} ({one.code})" for one in lists)))
    if unknown:
        is_extensible = any(one.is_extensible for one in lists)
        words = _UNKNOWN if is_extensible else _FIXED
        said.append(words.format(values=", ".join(unknown)))
    return " ".join(said)


@cache
def known() -> Mapping[str, Known]:
    """Every list by its name."""
    found: dict[str, Known] = {}
    terms: dict[str, str] = {}
    for line in (Path(__file__).parent / "terminology.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" "):
            code, _, value = line.strip().partition(" ")
            terms[value] = code
            continue
        name, code, extent, title = (part.strip() for part in line.split("|"))
        terms = {}
        found[name] = Known(name, code, extent == "extensible", title, MappingProxyType(terms))
    return MappingProxyType(found)
