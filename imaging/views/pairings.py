"""The paired table of a trial: what two tracers show, and the lesions behind each number."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from imaging import reading_terms
from imaging.matching import Outcome
from imaging.models import LesionComparison
from imaging.paired_table import OUTCOMES
from imaging.selectors import comparisons as selecting
from imaging.selectors import pairings

NAMES = dict(reading_terms.REGIONS)
# Asked for in place of an outcome.
ELSEWHERE = "no-place-there"


@dataclass(frozen=True)
class Line:
    """One line of counts, in the order of outcomes; `region` is what its numbers lead to."""

    label: str
    counts: list[tuple[Outcome, int]]
    region: str = ""
    # Patients without a place of disease in the region; None where that is not asked.
    elsewhere: int | None = None


@require_safe
def paired_lesions(request: HttpRequest) -> HttpResponse:
    """Per lesion, per region and per patient: both, one tracer alone, neither, not covered."""
    rows = pairings.listed(request.user).filter(kind=LesionComparison.Kind.TRACERS)
    found = pairings.tables(rows)
    outcome, region = request.GET.get("outcome", ""), request.GET.get("region", "")
    of_patients = request.GET.get("of") == "patients"
    context = {
        "tables": [
            (
                one,
                _lines(one),
                _shown(one, outcome, region, of_patients),
                _named(one, outcome, region) if of_patients else [],
            )
            for one in found
        ],
        "of_patients": of_patients,
        "outcomes": OUTCOMES,
        "outcome": outcome if outcome in (*OUTCOMES, ELSEWHERE) else "",
        "region": NAMES.get(region, ""),
        "overtaken": _overtaken(rows),
    }
    return render(request, "imaging/paired_lesions.html", context)


def _lines(table: pairings.Table) -> dict[str, list[Line]]:
    counts = table.counts
    regions = counts.regions
    named = {code: NAMES.get(code, code) for code in regions}
    return {
        "Lesions": [
            Line("All lesions", list(counts.lesions.items())),
            *(Line(named[code], list(regions[code][0].items()), code) for code in regions),
        ],
        "Patients": [
            Line("All regions together", list(counts.patients.items())),
            *(
                Line(named[code], list(regions[code][1].items()), code, counts.elsewhere[code])
                for code in regions
            ),
        ],
    }


def _shown(
    table: pairings.Table, outcome: str, region: str, of_patients: bool
) -> list[pairings.Row]:
    """The rows behind the number that was opened; all if none was."""
    inside = [row for row in table.rows if region not in NAMES or row.pair.region == region]
    if of_patients and outcome == ELSEWHERE:
        return []
    if outcome not in OUTCOMES:
        return inside
    if of_patients:
        named = set(_named(table, outcome, region))
        return [row for row in inside if row.patient.identifier in named]
    return [row for row in inside if row.outcome == outcome]


def _named(table: pairings.Table, outcome: str, region: str) -> list[str]:
    """The patients of an outcome, those without a lesion too."""
    if outcome == ELSEWHERE:
        return sorted(one.identifier for one in table.elsewhere(region)) if region in NAMES else []
    found = table.patients(region if region in NAMES else "")
    return sorted(patient.identifier for patient, one in found.items() if one == outcome)


def _overtaken(rows) -> int:
    """Signed comparisons that no longer count: a read or a measurement took the place of theirs."""
    signed = rows.filter(state=LesionComparison.State.SIGNED, superseded_by=None)
    return signed.count() - selecting.standing(rows).count()
