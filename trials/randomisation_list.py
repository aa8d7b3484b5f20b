"""The sealed list of a randomisation, written out from its seed, and held against what was given.

    seal = HMAC-SHA256(seed, "allocated" | patient | stratum | slot | sequence)

An allocation keeps this seal of the sequence it gave, which tells nothing to who has no seed.
With the seed it proves that the list of today is the one the patients were given places of.

The mistake to fear is a comparison of a derivation with itself: the sequence is derived each
time it is looked at, so another secret would change it for everybody and nobody would see.
The seal was made on the day of the allocation.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trials import randomisation

Ratios = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the list; blocks, places of a block and slots of a stratum count from 1."""

    stratum: str
    block: int
    place: int
    slot: int
    sequence: str


@dataclass(frozen=True, slots=True)
class Given:
    """A place that a patient has by the record: in which scheme, `position` counted from 0."""

    patient: str
    scheme: str
    stratum: str
    position: int
    seal: str
    # Digest of the sequences and strata of the protocol version it was allocated by.
    scheme_of_version: str
    # The stratum as the kept values say it, None if none are kept.
    stratum_of_values: str | None
    # Whether it was made when allocations were not sealed yet, by the trail of its row.
    is_before_seals: bool = False
    # Caps of the sequences by the protocol version it was allocated by.
    caps: Mapping[str, int] = field(default_factory=dict)


def seed_digest(seed: bytes) -> str:
    """SHA-256 of a seed, which is filed before the first allocation and tells nothing of it.

    >>> seed_digest(b"abc")[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(seed).hexdigest()


def seal(seed: bytes, *, patient: str, stratum: str, position: int, sequence: str) -> str:
    """The seal of a sequence that was given, in hexadecimal."""
    parts = "\n".join(("allocated", patient, stratum, str(position), sequence))
    return hmac.digest(seed, parts.encode(), "sha256").hex()


def listed(seed: bytes, *, stratum: str, ratios: Ratios, places: int) -> list[Place]:
    """The first blocks of a stratum that hold `places` places, each to its end.

    >>> found = listed(b"k" * 32, stratum="101", ratios=[("AB", 1), ("BA", 1)], places=1)
    >>> [one.slot for one in found] == list(range(1, len(found) + 1)), found[-1].block
    (True, 1)
    """
    found: list[Place] = []
    number = 0
    while len(found) < places:
        block = randomisation.block(seed, stratum=stratum, number=number, ratios=ratios)
        number += 1
        found += [
            Place(stratum, number, place, len(found) + place, sequence)
            for place, sequence in enumerate(block, start=1)
        ]
    return found


def mismatches(
    given: Sequence[Given], *, seeds: Mapping[str, bytes], ratios: Mapping[str, Ratios]
) -> Iterator[str]:
    """What of the allocations made does not follow from the list, a sentence each.

    `given` in the order in which they were made; `seeds` and `ratios` by scheme.
    """
    taken: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    for one in given:
        key = (one.scheme, one.stratum)
        expected = _expected(one, taken.get(key, 0), counts, seeds, ratios)
        taken[key] = expected + 1
        if one.position != expected:
            yield (
                f"{one.patient}: has slot {one.position + 1} of {_named(one.stratum)}; "
                f"the next one in order was slot {expected + 1}."
            )
        yield from _mismatch(one, seeds, ratios)


def incomparable(given: Iterable[Given]) -> Iterator[str]:
    """The allocations that no seal tells of, a sentence each: neither right nor wrong.

    >>> list(incomparable([Given("101-001", "s", "", 0, "", "s", None, is_before_seals=True)]))
    ["101-001: can't be compared: made before the list was sealed."]
    """
    for one in given:
        if one.is_before_seals and not one.seal:
            yield f"{one.patient}: can't be compared: made before the list was sealed."


def _expected(
    one: Given,
    start: int,
    counts: Counter[str],
    seeds: Mapping[str, bytes],
    ratios: Mapping[str, Ratios],
) -> int:
    """The position that was next, those of full sequences passed over; counts what was given."""
    if one.scheme not in seeds:
        return start
    seed, of = seeds[one.scheme], ratios[one.scheme]
    found = randomisation.next_position(
        seed,
        stratum=one.stratum,
        start=start,
        ratios=of,
        full=randomisation.full(one.caps, counts),
    )
    counts[
        randomisation.sequence_at(seed, stratum=one.stratum, position=one.position, ratios=of)
    ] += 1
    return start if found is None else found


def _mismatch(
    one: Given, seeds: Mapping[str, bytes], ratios: Mapping[str, Ratios]
) -> Iterator[str]:
    if one.stratum_of_values is not None and one.stratum_of_values != one.stratum:
        yield (
            f"{one.patient}: is in {_named(one.stratum)}, but the values kept with the "
            f"allocation say {_named(one.stratum_of_values)}."
        )
    if one.scheme not in seeds or one.scheme != one.scheme_of_version:
        yield (
            f"{one.patient}: its protocol version states other sequences or strata than it "
            "was allocated by."
        )
        return
    if not one.seal:
        if not one.is_before_seals:
            yield f"{one.patient}: was sealed when it was made, and carries no seal any more."
        return
    seed = seeds[one.scheme]
    sequence = randomisation.sequence_at(
        seed, stratum=one.stratum, position=one.position, ratios=ratios[one.scheme]
    )
    recomputed = seal(
        seed,
        patient=one.patient,
        stratum=one.stratum,
        position=one.position,
        sequence=sequence,
    )
    if not hmac.compare_digest(recomputed, one.seal):
        yield (
            f"{one.patient}: what was given is not what the list has at slot "
            f"{one.position + 1} of {_named(one.stratum)}."
        )


def strata_of(levels: Iterable[Sequence[str]]) -> list[str]:
    """Every stratum, of the levels of each part such as `site=101`; one without a name if none.

    >>> strata_of([["site=101", "site=102"], ["group=A"]])
    ['site=101;group=A', 'site=102;group=A']
    """
    found = [""]
    for part in levels:
        found = [f"{one};{level}" if one else level for one in found for level in part]
    return found


def _named(stratum: str) -> str:
    return f"stratum {stratum}" if stratum else "the one stratum"
