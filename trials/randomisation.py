"""Randomised sequences by permuted blocks, derived from a sealed seed and written down nowhere.

    seed      = HMAC-SHA256(key, "trialtrace randomisation 1" | trial | scheme)
    draw(x)   = HMAC-SHA256(seed, stratum | block | x)
    size      = (sum of the ratios) * MULTIPLES[draw("size") mod 2]
    block     = its sequences, each as often as its ratio says, in the order of the trial file,
                sorted by draw("0"), draw("1"), …

Parts are joined by line breaks, in UTF-8; a draw is read as an unsigned number, big end first.
Blocks count from 0 in each stratum, and a stratum goes through its blocks place by place. `key`
is the trial's secret and `scheme` the digest of what the trial file says of the randomisation:
whoever holds the seed derives the list again with any tool that knows HMAC.

The mistake to fear is a list that can be read ahead: neither the seed nor the size of a block is
stored, shown, logged or exported, so that the last places of a block can't be told.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trials import canonical

LABEL = "trialtrace randomisation 1"
# Blocks of two lengths: never one of a single round, whose second place the first one gives away.
MULTIPLES = (2, 3)


def scheme_digest(stated: Mapping[str, Any]) -> str:
    """SHA-256 of what decides the list: sequences, ratios and strata; nothing else of the file."""
    return canonical.sha256(
        {
            "sequences": [[one["identifier"], one.get("ratio", 1)] for one in stated["sequences"]],
            "strata": [
                [one["by"], one.get("variable"), one.get("levels")]
                for one in stated.get("strata", ())
            ],
        }
    )


def seed(key: bytes, *, trial: str, scheme: str) -> bytes:
    """The seed of a trial's list, 32 bytes."""
    return _mac(key, LABEL, trial, scheme)


def sequence_of(
    stated: Mapping[str, Any], *, key: bytes, trial: str, scheme: str, stratum: str, position: int
) -> dict[str, Any]:
    """The sequence at a place, as the trial file states it."""
    found = sequence_at(
        seed(key, trial=trial, scheme=scheme),
        stratum=stratum,
        position=position,
        ratios=[(one["identifier"], one.get("ratio", 1)) for one in stated["sequences"]],
    )
    return next(one for one in stated["sequences"] if one["identifier"] == found)


def sequence_at(
    seed: bytes, *, stratum: str, position: int, ratios: Sequence[tuple[str, int]]
) -> str:
    """The sequence at a position of a stratum, counted from 0; `ratios` in the file's order.

    >>> found = [sequence_at(b"k" * 32, stratum="101", position=n, ratios=[("AB", 1), ("BA", 1)])
    ...          for n in range(4)]
    >>> sorted(set(found))
    ['AB', 'BA']
    """
    number = 0
    while True:
        places = block(seed, stratum=stratum, number=number, ratios=ratios)
        if position < len(places):
            return places[position]
        position -= len(places)
        number += 1


def next_position(
    seed: bytes,
    *,
    stratum: str,
    start: int,
    ratios: Sequence[tuple[str, int]],
    full: Collection[str],
) -> int | None:
    """The first position from `start` whose sequence is not full; None where all are.

    The place passed over stays empty, so that the list is the one that was sealed. With a cap the
    last allocations can be told by whoever sees the earlier ones.

    >>> ratios = [("AB", 1), ("BA", 1)]
    >>> found = next_position(b"k" * 32, stratum="101", start=0, ratios=ratios, full={"AB"})
    >>> sequence_at(b"k" * 32, stratum="101", position=found, ratios=ratios)
    'BA'
    """
    if all(name in full for name, _ in ratios):
        return None
    while sequence_at(seed, stratum=stratum, position=start, ratios=ratios) in full:
        start += 1
    return start


def full(caps: Mapping[str, int], counts: Mapping[str, int]) -> frozenset[str]:
    """The sequences that have as many patients as their cap."""
    return frozenset(name for name, cap in caps.items() if counts.get(name, 0) >= cap)


def caps_of(stated: Mapping[str, Any]) -> dict[str, int]:
    """The caps of the sequences that have one."""
    found = {one["identifier"]: one.get("cap") for one in stated.get("sequences", ())}
    return {name: cap for name, cap in found.items() if cap is not None}


def block(
    seed: bytes, *, stratum: str, number: int, ratios: Sequence[tuple[str, int]]
) -> list[str]:
    """The sequences of one block in their order."""
    rounds = MULTIPLES[int.from_bytes(_mac(seed, stratum, str(number), "size")) % len(MULTIPLES)]
    places = [name for name, ratio in ratios for _ in range(ratio * rounds)]
    draws = [_mac(seed, stratum, str(number), str(place)) for place in range(len(places))]
    return [name for _, name in sorted(zip(draws, places, strict=True))]


def _mac(key: bytes, *parts: str) -> bytes:
    return hmac.digest(key, "\n".join(parts).encode(), "sha256")
