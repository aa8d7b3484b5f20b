"""What a signed read says of the adrenals: signed with it, and handed over as findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imaging.models import Read
from imaging.ratios import Ratio
from imaging.selectors.adrenals import Adrenals, of_read
from trials.services.findings import Result


def signed(read: Read) -> dict[str, Any]:
    """What is signed of them; nothing where an earlier release measured and signed."""
    found = of_read(read)
    if found is None or None in (found.left.volume_ml, found.right.volume_ml):
        return {}
    return {
        "adrenals": {
            "suvmax": {"left": found.left.suvmax, "right": found.right.suvmax},
            "minutes": found.found.minutes,
            "side": found.side,
            "why": found.found.why,
            **found.values,
        }
    }


def results(read: Read) -> list[Result]:
    """The findings of a read on both adrenals; none unless a reader stands for both."""
    found = of_read(read)
    return list(_results(found)) if found else []


def _results(adrenals: Adrenals) -> Iterator[Result]:
    found = adrenals.found
    at = "" if found.minutes is None else f"{found.minutes:.1f} min after injection"
    for test, region in (("ADRMAXL", adrenals.left), ("ADRMAXR", adrenals.right)):
        if region.suvmax is not None:
            yield Result(test, region, number=region.suvmax, method=at)
    for test, region, one in (
        ("ADRLIVL", adrenals.left, found.left_to_liver),
        ("ADRLIVR", adrenals.right, found.right_to_liver),
        ("ADRRATIO", adrenals.left, found.dominant_to_contralateral),
    ):
        if one is not None:
            yield Result(test, region, number=one.value, method=_over(one, at))
    if found.left_right_index is not None:
        yield Result("ADRINDEX", adrenals.left, number=found.left_right_index, method=at)
    yield Result("ADRSIDE", adrenals.left, text=adrenals.side, method=at)


def _over(one: Ratio, at: str) -> str:
    """Numerator and denominator, for a column of 60 characters."""
    return ", ".join(filter(None, [f"{one.numerator:.4g} / {one.denominator:.4g} g/mL", at]))
