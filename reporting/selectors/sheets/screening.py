"""The screening log of a site on paper: who was screened, enrolled, or not and why (ICH E6)."""

from __future__ import annotations

from collections import Counter

from reporting.sheets.blocks import Column, Facts, Sheet, Signing, Table
from trials.models import Patient, Site
from trials.selectors import screening_log

State = Patient.State


def log(site: Site) -> Sheet:
    """Everyone screened at the site by number; a fixed number of queries."""
    lines = list(screening_log.lines(Patient.objects.filter(site=site)))
    states = Counter(one.patient.state for one in lines)
    criteria = Counter(
        name.strip() for one in lines for name in one.criteria.split(",") if name.strip()
    )
    taken_in = sum(1 for one in lines if one.number)
    return Sheet(
        title="Screening log",
        subject=f"Site {site}",
        is_wide=True,
        notes=(
            "Subjects are named by the trial's numbers alone. The identification code list, which "
            "says who they are, stays with the investigator and is never printed from here.",
        ),
        blocks=[
            Facts(
                "",
                [
                    ("Screened", str(len(lines))),
                    ("Enrolled", str(taken_in)),
                    ("Screen failures", str(states[State.SCREEN_FAILED])),
                    ("In screening", str(states[State.SCREENING])),
                ],
            ),
            Table(
                "Subjects",
                [
                    Column("Screening number"),
                    Column("Screened on"),
                    Column("Consent"),
                    Column("Verdict", "2"),
                    Column("Outcome", "2"),
                    Column("On"),
                    Column("Criteria", "1.5"),
                    Column("Reason", "3"),
                    Column("Before as"),
                    Column("Patient number"),
                ],
                [
                    [
                        one.patient.screening_number,
                        one.screened_on,
                        one.consented_on or "–",
                        one.verdict,
                        one.outcome,
                        one.ended_on or "–",
                        one.criteria or "–",
                        one.reason or "–",
                        one.earlier or "–",
                        one.number or "–",
                    ]
                    for one in lines
                ],
                "Nobody was screened at this site yet.",
            ),
            Table(
                "Screen failures by criterion",
                [Column("Criterion", "4"), Column("Subjects", "1", is_number=True)],
                [[name, str(count)] for name, count in sorted(criteria.items())],
                "No screening ended for a criterion.",
            ),
            Signing("", ["principal investigator"]),
        ],
    )
