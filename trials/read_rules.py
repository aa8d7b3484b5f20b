"""How the images of a scan are read, as a trial file states it: readers, blinding, what settles.

The mistake to fear is a read that counts because it was the last: which of two reads counts, and
who says so where they differ, is the protocol's, and without a rule nothing settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

THIRD_READER, CONSENSUS, NONE = "third-reader", "consensus", "none"
ADJUDICATION: Mapping[str, str] = MappingProxyType(
    {
        THIRD_READER: "a third reader settles it",
        CONSENSUS: "the readers settle it together, and each signs",
        NONE: "nothing settles it",
    }
)
BLINDED_TO: Mapping[str, str] = MappingProxyType(
    {
        "clinical-data": "clinical data",
        "other-readers": "other readers",
        "other-tracer": "the scan with the other tracer",
        "reference-standard": "the reference standard",
        "allocation": "the allocation",
        "time-point": "the time point",
        "other-imaging": "other imaging",
    }
)
LESION_NUMBER, SCAN, REGION, LESION = "lesion-number", "scan", "region", "lesion"
ADRENAL_SIDE, RESPONSE = "adrenal-side", "response"
# What two readers may differ in, as a person says it.
QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        LESION_NUMBER: "the number of lesions",
        SCAN: "whether the scan is positive",
        REGION: "whether a region is positive",
        LESION: "whether a lesion is there, by matching in space",
        ADRENAL_SIDE: "the side of the adrenals",
        RESPONSE: "the category of response",
    }
)


def words(rule: Mapping[str, Any]) -> list[str]:
    """The rule as sentences.

    >>> words({"readers": 2, "blinded_to": ["other-readers"], "adjudication": "third-reader",
    ...        "discordant": ["scan"]})  # doctest: +NORMALIZE_WHITESPACE
    ['2 readers for each scan, each blinded to other readers.',
     'Two of them differ where they say otherwise: whether the scan is positive.',
     'Where they differ, a third reader settles it.']
    """
    number = rule["readers"]
    told = f"{number} reader{'' if number == 1 else 's'} for each scan"
    if blinded := rule["blinded_to"]:
        told += f", each blinded to {_list(BLINDED_TO[one] for one in blinded)}"
    sentences = [f"{told}."]
    if asked := rule["discordant"]:
        differ = _list(QUESTIONS[one] for one in asked)
        sentences.append(f"Two of them differ where they say otherwise: {differ}.")
        sentences.append(f"Where they differ, {ADJUDICATION[rule['adjudication']]}.")
    return sentences


def _list(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


@dataclass(frozen=True, slots=True)
class Count:
    """Which of the signed reads of a scan counts, by its place among them, or why none does.

    `basis` is a word of `CountedRead.Basis`; `read` is None where no read counts.
    """

    basis: str
    why: str
    read: int | None = None


def counted(
    rule: Mapping[str, Any],
    *,
    signed: Sequence[int],
    are_discordant: bool,
    awaited: Sequence[str] = (),
    adjudicated: int | None = None,
) -> Count:
    """What counts of reads signed apart from each other, in the order in which they were signed.

    `rule` is the one in force, empty where there is none; `awaited` are rules whose response is
    not evaluated for each read yet; `adjudicated` is what settles their difference. Readers who
    agree may still measure otherwise: the read signed first counts.

    >>> counted({}, signed=[7], are_discordant=False).read
    7
    >>> counted({"readers": 2, "adjudication": "third-reader"}, signed=[7],
    ...         are_discordant=False).why
    '1 of 2 readers has signed: no read counts before all have.'
    """
    readers, number = rule.get("readers", 1), len(signed)
    if number < readers:
        have = "has" if number == 1 else "have"
        why = f"{number} of {readers} readers {have} signed: no read counts before all have."
        return Count("awaiting-readers", why)
    if number == 1:
        return Count("only", "One reader signed a read.", signed[0])
    told = "Two readers" if number == 2 else f"{number} readers"
    if awaited and not are_discordant and adjudicated is None:
        why = f"{told} signed; the response by {', '.join(awaited)} is not evaluated for each yet."
        return Count("awaiting-response", why)
    if not are_discordant and not awaited:
        return Count("agreed", f"{told} agree: the read signed first counts.", signed[0])
    if rule.get("adjudication", NONE) == NONE:
        why = f"{told} differ, and the trial file says of nobody who settles it."
        return Count("unsettled", why)
    if adjudicated is None:
        by = {THIRD_READER: "adjudication by a third reader", CONSENSUS: "their consensus"}
        why = f"{told} differ, awaiting {by[rule['adjudication']]}."
        return Count("awaiting-adjudication", why)
    how = {THIRD_READER: "a third reader settled it", CONSENSUS: "they settled it together"}
    return Count("adjudicated", f"{told} differed; {how[rule['adjudication']]}.", adjudicated)


def asked(rule: Mapping[str, Any]) -> Sequence[str]:
    """The questions that make reads discordant; without a rule all that findings answer."""
    return rule.get("discordant", (LESION_NUMBER, SCAN, REGION, ADRENAL_SIDE))
