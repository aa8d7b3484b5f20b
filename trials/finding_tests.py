"""What a finding of a read is called, and its unit: of a whole scan, or of one lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Test:
    """One kind of finding; without a unit its result is a word or a count."""

    code: str
    name: str
    unit: str = ""

    # Not a test class, whatever its name begins with.
    __test__ = False


TESTS: Mapping[str, Test] = MappingProxyType(
    {
        one.code: one
        for one in (
            Test("LESNUM", "Number of lesions"),
            Test("SUVMAX", "SUVmax", "g/mL"),
            Test("SUVMEAN", "SUVmean", "g/mL"),
            Test("SUVPEAK", "SUVpeak", "g/mL"),
            Test("VOLUME", "Volume", "mL"),
            Test("UPTAKE", "Total uptake", "g"),
            Test("DMAX", "Largest distance between two lesions", "mm"),
            Test("VISPOS", "Visual positivity"),
        )
    }
)
