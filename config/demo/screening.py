"""Sixty-six invented people screened at three sites, the same ones every time.

Each has a course: what was found and what became of it. The numbers are drawn from a seeded
generator; what a course needs is set on top, so that every outcome there is shows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

SITES = ("101", "102", "103")
SEED = 68
# Course and how many go it; together the cohort, dealt round the sites.
COURSES = {
    "enrolled": 24,
    "signed": 3,
    "eligible": 4,
    "no pregnancy test": 4,
    "no creatinine": 3,
    "histology pending": 3,
    "vague therapy": 2,
    "renal": 3,
    "recent therapy": 3,
    "frail": 2,
    "screen failed": 6,
    "screened again": 2,
    "consent only": 2,
    "despite": 1,
    "withdrawn": 3,
    "changed since": 2,
    "impossible value": 1,
}
EXCLUDED = {"renal", "recent therapy", "frail", "screen failed", "screened again", "despite"}


@dataclass(frozen=True)
class Person:
    """An invented person: who, where, which course, and the facts at screening."""

    site: str
    course: str
    sex_at_birth: str
    birth: str
    facts: dict[str, tuple[Any, str]] = field(default_factory=dict)

    @property
    def cohort(self) -> str:
        return "SOLID" if self.facts["diagnosis.group"][0] == "solid_tumor" else "LYMPHOMA"


def people(today: date) -> Iterator[Person]:
    """The cohort; dates of the facts are relative to `today`."""
    draw = random.Random(SEED)  # noqa: S311  invented patients, not secrets
    courses = [course for course, number in COURSES.items() for _ in range(number)]
    draw.shuffle(courses)
    for number, course in enumerate(courses):
        yield _person(draw, SITES[number % len(SITES)], course, today)


def _person(draw: random.Random, site: str, course: str, today: date) -> Person:
    sex = "F" if course == "no pregnancy test" else draw.choice("FM")
    year = draw.randint(1975, 2001) if course == "no pregnancy test" else draw.randint(1938, 2001)
    facts = _facts(draw, sex, year, today)
    _bend(facts, course, today)
    return Person(site, course, sex, f"{year}-{draw.randint(1, 12):02d}", facts)


def _facts(draw: random.Random, sex: str, year: int, today: date) -> dict[str, tuple[Any, str]]:
    stopped = (today - timedelta(days=draw.randint(60, 700))).isoformat()
    therapy = [{"name": draw.choice(THERAPIES), "started_on": "2024", "stopped_on": stopped}]
    diagnosis = draw.choices(("NHL", "MM", "solid_tumor"), (5, 3, 2))[0]
    facts: dict[str, tuple[Any, str]] = {
        "creatinine": (round(draw.uniform(0.6, 1.2), 2), "mg/dL"),
        "histology.confirmed": (True, ""),
        "diagnosis.group": (diagnosis, ""),
        "lesions.measurable_count": (draw.randint(1, 9), ""),
        "therapy.anticancer": (draw.choice(([], therapy)), ""),
        "ecog": (draw.choices((0, 1, 2), (4, 5, 1))[0], ""),
        "unable_to_tolerate_scan": (False, ""),
    }
    if sex == "F":
        facts["breastfeeding"] = (False, "")
        if today.year - year > 55:
            facts["amenorrhoea.twelve_months"] = (True, "")
            facts["amenorrhoea.other_cause"] = (False, "")
            facts["pregnant"] = (False, "")
        else:
            facts["pregnancy_test"] = ("negative", "")
    return facts


THERAPIES = ("R-CHOP", "bendamustine", "daratumumab", "carboplatin", "radiotherapy")


def _bend(facts: dict[str, tuple[Any, str]], course: str, today: date) -> None:
    """What makes a course what it is."""
    if course == "no pregnancy test":
        facts.pop("pregnancy_test", None)
    elif course == "no creatinine":
        facts.pop("creatinine")
    elif course == "histology pending":
        facts["histology.confirmed"] = (None, "")
    elif course == "vague therapy":
        vague = {"name": "R-CHOP", "started_on": f"{today.year - 1}", "stopped_on": f"{today.year}"}
        facts["therapy.anticancer"] = ([vague], "")
    elif course == "impossible value":
        facts["creatinine"] = (90.0, "mg/dL")
    elif course == "recent therapy":
        stopped = (today - timedelta(days=9)).isoformat()
        recent = {"name": "bendamustine", "started_on": "2025-11", "stopped_on": stopped}
        facts["therapy.anticancer"] = ([recent], "")
    elif course in {"frail", "screened again"}:
        facts["ecog"] = (3, "")
    elif course in EXCLUDED:
        facts["creatinine"] = (3.4, "mg/dL")
    else:
        # An amended limit of 45 mL/min is what some of these would fail.
        facts["ecog"] = (min(facts["ecog"][0], 2), "")
