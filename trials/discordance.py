"""Where two readers of one scan answer a question of the protocol alike, and where they differ.

    lesion-number   how many lesions
    scan            visual positivity of the scan
    region          whether a lesion that is not called negative lies in a region
    lesion          whether a lesion of one is there for the other too, by matching in space
    adrenal-side    the side that the adrenals are called on
    response        the category of response, per rule of the trial file

Sizes and SUV differ between any two readers, and are no discordance. The mistake to fear is a
silence that counts as an answer: what one of the two did not state, or a lesion whose region one
of them did not name, is told as not comparable, and settles nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from trials import read_rules

NEGATIVE, POSITIVE, NOT_STATED = "negative", "positive", "not_stated"
_OF_SCAN = {read_rules.LESION_NUMBER: "Number of lesions", read_rules.SCAN: "Scan"}
_UNPLACED = "Regions of the lesions"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader found on one scan.

    `positivity` is "positive", "negative" or "not_stated"; `lesions` has the region of each lesion
    (empty where it was not named) with its own positivity, in the same words. `side` is that of
    the adrenals, empty where none was asked for; `responses` has a category per rule.
    """

    count: int
    positivity: str
    lesions: Sequence[tuple[str, str]] = field(default=())
    side: str = ""
    responses: Mapping[str, str] = field(default_factory=dict)

    @property
    def regions(self) -> set[str]:
        """Where a lesion lies that is not called negative."""
        return {region for region, seen in self.lesions if seen != NEGATIVE and region}

    @property
    def has_unplaced(self) -> bool:
        """Whether a lesion that is not called negative lies nowhere that was named."""
        return any(seen != NEGATIVE and not region for region, seen in self.lesions)


@dataclass(frozen=True, slots=True)
class Answers:
    """What two readers answered to one question, `of` a region, a lesion or a rule if it has any.

    The words are as stored: "positive", "2", a category.
    """

    question: str
    of: str
    first: str
    second: str
    is_comparable: bool = True

    @property
    def differ(self) -> bool:
        """Whether they are not the same, or can't be compared; both silent is no difference."""
        are_silent = self.first == self.second == NOT_STATED
        return self.first != self.second or not (self.is_comparable or are_silent)

    @property
    def is_awaited(self) -> bool:
        """Whether the response of one of the two, or of both, is not evaluated yet."""
        return self.question == read_rules.RESPONSE and NOT_STATED in (self.first, self.second)

    @property
    def name(self) -> str:
        """The question as a person says it."""
        if self.question in _OF_SCAN:
            return _OF_SCAN[self.question]
        words = {
            read_rules.REGION: _words(self.of).capitalize() if self.of else _UNPLACED,
            read_rules.LESION: f"Lesion {self.of}",
            read_rules.ADRENAL_SIDE: "Side of the adrenals",
            read_rules.RESPONSE: f"Response by {self.of}",
        }
        return words[self.question]


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that two readers answer differently, or that one did not answer."""

    question: str
    first: str
    second: str
    is_comparable: bool = True


def answers(one: Reading, other: Reading, rules: Collection[str] = ()) -> list[Answers]:
    """Every question with what the two answered to it; lesions by matching are not among them.

    `rules` are those that evaluate a response on this scan.

    >>> [(a.question, a.differ) for a in answers(Reading(1, "positive"), Reading(1, "negative"))]
    [('lesion-number', False), ('scan', True)]
    """
    stated = NOT_STATED not in (one.positivity, other.positivity)
    found = [
        Answers(read_rules.LESION_NUMBER, "", str(one.count), str(other.count)),
        Answers(read_rules.SCAN, "", one.positivity, other.positivity, is_comparable=stated),
        *_of_regions(one, other),
    ]
    if one.side or other.side:
        both = bool(one.side and other.side)
        found.append(
            Answers(
                read_rules.ADRENAL_SIDE,
                "",
                one.side or NOT_STATED,
                other.side or NOT_STATED,
                is_comparable=both,
            )
        )
    return [*found, *_of_responses(one, other, rules)]


def between(one: Reading, other: Reading) -> list[Difference]:
    """What two readings of a scan differ in.

    >>> between(Reading(1, "positive"), Reading(0, "negative"))[0]
    Difference(question='Number of lesions', first='1', second='0', is_comparable=True)
    """
    return [difference(each) for each in answers(one, other) if each.differ]


def difference(one: Answers) -> Difference:
    """Two answers in words."""
    return Difference(one.name, _words(one.first), _words(one.second), one.is_comparable)


def discordant(found: Iterable[Answers], asked: Collection[str]) -> list[Answers]:
    """The answers that make two reads discordant, by the questions that a protocol asks.

    A response that is not evaluated yet is awaited, and nobody's to settle.
    """
    return [one for one in found if one.differ and one.question in asked and not one.is_awaited]


def awaited(found: Iterable[Answers], asked: Collection[str]) -> list[str]:
    """The rules whose response two reads still wait for, where a protocol asks for it."""
    return sorted({one.of for one in found if one.is_awaited and one.question in asked})


def _of_regions(one: Reading, other: Reading) -> Iterator[Answers]:
    if one.has_unplaced or other.has_unplaced:
        here, there = ("not named" if each.has_unplaced else "named" for each in (one, other))
        yield Answers(read_rules.REGION, "", here, there, is_comparable=False)
        return
    words = {True: POSITIVE, False: NEGATIVE}
    for region in sorted(one.regions | other.regions):
        here, there = (words[region in each.regions] for each in (one, other))
        yield Answers(read_rules.REGION, region, here, there)


def _of_responses(one: Reading, other: Reading, rules: Collection[str]) -> Iterator[Answers]:
    for rule in sorted({*one.responses, *other.responses, *rules}):
        first, second = (each.responses.get(rule, NOT_STATED) for each in (one, other))
        both = NOT_STATED not in (first, second)
        yield Answers(read_rules.RESPONSE, rule, first, second, is_comparable=both)


def _words(code: str) -> str:
    return code.replace("_", " ")


def among(readings: Mapping[str, Reading]) -> dict[tuple[str, str], list[Difference]]:
    """The differences of each two readers of a scan who differ, by the names they go by."""
    found = {
        (one, other): between(readings[one], readings[other])
        for one, other in combinations(sorted(readings), 2)
    }
    return {two: differences for two, differences in found.items() if differences}
