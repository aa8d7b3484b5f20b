"""The columns of the randomisation that are derived; of a concealed one they stay empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from trials import randomisation, stratification
from trials.variables import VARIABLES

INPUTS = (
    "version__definition__randomisation",
    "trial__uid_key",
    "trial__identifier",
    "scheme_sha256",
    "stratum",
    "position",
)


STRATA = ("strata", "recorded", "patient__site__code", "allocated_at", "patient__site__time_zone")
# What a trial may stratify by, besides the site.
STRATIFYING = sorted(name for name, one in VARIABLES.items() if one.kind == "choice")


def sources(strata: Sequence[Mapping[str, Any]]) -> str | None:
    """Each value that decided the stratum with its number and date."""
    found = [
        f"{one['variable']}={one['value']} (evidence {one['evidence']}, {one['observed_at']})"
        for one in strata
        if one["by"] == "evidence"
    ]
    return "; ".join(found) or None


def misstratified(
    strata: Sequence[Mapping[str, Any]],
    recorded: Sequence[Mapping[str, Any]],
    site: str,
    allocated_at: datetime,
    zone: str,
) -> str | None:
    """What was corrected since the allocation, part by part."""
    found = stratification.standings(
        strata, recorded, site=site, allocated_at=allocated_at, zone=ZoneInfo(zone)
    )
    return "; ".join(one.sentence for one in found if one.is_otherwise) or None


def sequence(*row: Any) -> str | None:
    """The identifier of the sequence, as the trial file has it."""
    found = _sequence(*row)
    return found and found["identifier"]


def periods(*row: Any) -> str | None:
    """The planned scans of the sequence in their order."""
    found = _sequence(*row)
    return found and " ".join(found["periods"])


def opened_sequence(*row: Any) -> str:
    """The identifier of the sequence, also of a concealed one: for an unblinded export alone."""
    return _drawn(*row)["identifier"]


def opened_periods(*row: Any) -> str:
    """The planned scans of the sequence, also of a concealed one: for an unblinded export alone."""
    return " ".join(_drawn(*row)["periods"])


def _sequence(
    stated: Mapping[str, Any], key: bytes, trial: str, scheme: str, stratum: str, position: int
) -> dict[str, Any] | None:
    if stated["masking"] == "concealed":
        return None
    return _drawn(stated, key, trial, scheme, stratum, position)


def _drawn(
    stated: Mapping[str, Any], key: bytes, trial: str, scheme: str, stratum: str, position: int
) -> dict[str, Any]:
    return randomisation.sequence_of(
        stated, key=bytes(key), trial=trial, scheme=scheme, stratum=stratum, position=position
    )
