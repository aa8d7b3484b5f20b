"""The columns of the randomisation that are derived; of a concealed one they stay empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trials import randomisation

INPUTS = (
    "version__definition__randomisation",
    "trial__uid_key",
    "trial__identifier",
    "scheme_sha256",
    "stratum",
    "position",
)


def sequence(*row: Any) -> str | None:
    """The identifier of the sequence, as the trial file has it."""
    found = _sequence(*row)
    return found and found["identifier"]


def periods(*row: Any) -> str | None:
    """The planned scans of the sequence in their order."""
    found = _sequence(*row)
    return found and " ".join(found["periods"])


def _sequence(
    stated: Mapping[str, Any], key: bytes, trial: str, scheme: str, stratum: str, position: int
) -> dict[str, Any] | None:
    if stated["masking"] == "concealed":
        return None
    return randomisation.sequence_of(
        stated, key=bytes(key), trial=trial, scheme=scheme, stratum=stratum, position=position
    )
