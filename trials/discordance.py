"""Where two readers of one scan differ in what a protocol asks: number, patient, regions.

    number of lesions     the counts are not equal
    positive scan         visual positivity is stated by both and is not the same
    positive region       a lesion that is not called negative lies there for one reader alone

Sizes and SUV differ between any two readers, and are no discordance. The mistake to fear is a
silence that counts as an answer: what one of the two did not state, or a lesion whose region one
of them did not name, is told as not comparable, and settles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

NEGATIVE, NOT_STATED = "negative", "not_stated"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader found on one scan.

    `positivity` is "positive", "negative" or "not_stated"; `lesions` has the region of each lesion
    (empty where it was not named) with its own positivity, in the same words.
    """

    count: int
    positivity: str
    lesions: Sequence[tuple[str, str]] = field(default=())

    @property
    def regions(self) -> set[str]:
        """Where a lesion lies that is not called negative."""
        return {region for region, seen in self.lesions if seen != NEGATIVE and region}

    @property
    def has_unplaced(self) -> bool:
        """Whether a lesion that is not called negative lies nowhere that was named."""
        return any(seen != NEGATIVE and not region for region, seen in self.lesions)


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that two readers answer differently, or that one did not answer."""

    question: str
    first: str
    second: str
    is_comparable: bool = True


def between(one: Reading, other: Reading) -> list[Difference]:
    """What two readings of a scan differ in.

    >>> between(Reading(1, "positive"), Reading(0, "negative"))[0]
    Difference(question='Number of lesions', first='1', second='0', is_comparable=True)
    """
    found = []
    if one.count != other.count:
        found.append(Difference("Number of lesions", str(one.count), str(other.count)))
    if one.positivity != other.positivity:
        both = NOT_STATED not in (one.positivity, other.positivity)
        found.append(Difference("Scan", _words(one.positivity), _words(other.positivity), both))
    return [*found, *_of_regions(one, other)]


def _of_regions(one: Reading, other: Reading) -> list[Difference]:
    if one.has_unplaced or other.has_unplaced:
        here, there = ("not named" if each.has_unplaced else "named" for each in (one, other))
        return [Difference("Regions of the lesions", here, there, is_comparable=False)]
    words = {True: "positive", False: NEGATIVE}
    return [
        Difference(
            _words(region).capitalize(),
            words[region in one.regions],
            words[region in other.regions],
        )
        for region in sorted(one.regions ^ other.regions)
    ]


def _words(code: str) -> str:
    return code.replace("_", " ")


def among(readings: Mapping[str, Reading]) -> dict[tuple[str, str], list[Difference]]:
    """The differences of each two readers of a scan who differ, by the names they go by."""
    found = {
        (one, other): between(readings[one], readings[other])
        for one, other in combinations(sorted(readings), 2)
    }
    return {two: differences for two, differences in found.items() if differences}
