"""The visits of the protocol and their numbers; of a protocol that states none, its scans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reporting.sdtm.arms import scans_of
from reporting.sdtm.draft import Draft
from reporting.sdtm.model import Row

Visit = tuple[str, int | None, str]
NO_VISIT: Visit = ("", None, "")


def planned(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The visits in their order."""
    stated = list(definition.get("visits", ()))
    if stated:
        return stated
    scans = [
        {"identifier": one["identifier"], "label": one["label"], "anchor": None, "target": None}
        for one in definition.get("planned_scans", ())
    ]
    return [
        {"identifier": "SCREEN", "label": "Screening", "anchor": "consent", "target": "P0D"},
        *scans,
    ]


def visit(draft: Draft, identifier: str | None) -> Visit:
    """A visit with its number, from 1, and its name; without one, none."""
    for number, one in enumerate(planned(draft.source.definition), 1):
        if one["identifier"] == identifier:
            return one["identifier"], number, one["label"].upper()[:40]
    return NO_VISIT


def visit_of_scan(draft: Draft, scan: Row | None) -> Visit:
    """The visit at which a scan is planned."""
    if scan is None:
        return NO_VISIT
    stated = scans_of(draft.source.definition).get(scan["planned_scan"], {})
    if draft.source.definition.get("visits"):
        return visit(draft, stated.get("visit"))
    return visit(draft, scan["planned_scan"])


def day_of(definition: Mapping[str, Any], stated: Mapping[str, Any]) -> int | None:
    """VISITDY: the planned day of study, where the plan counts whole days from the first injection.

    Visits of these trials are counted from the consent or from one another, before the day is known
    that RFSTDTC is of: theirs is not stated.
    """
    if stated.get("anchor") != "injection" or not stated.get("target"):
        return None
    match = re.fullmatch(r"(-?)P(\d+)D", stated["target"])
    if match is None or not definition:
        return None
    days = int(match[2]) * (-1 if match[1] else 1)
    return days + 1 if days >= 0 else days
