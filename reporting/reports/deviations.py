"""Deviations from the protocol: by what they are about, by rule, by site, and how important.

The denominator is the patients of a site that were enrolled, for a site with more patients has
more of everything. What a correction of the record withdrew is no deviation and is counted apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from reporting.reports.cells import flag_of
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Estimate,
    Figure,
    Share,
    Table,
    estimate_of,
    methods_of,
    reasons,
    words,
)
from reporting.reports.drawings import Bars
from reporting.reports.rows import Row, Rows
from reporting.statistics.proportions import proportion

EMPTY = "No deviation has been found or recorded, and nobody is enrolled."
BY_HAND = "found by a person"
WITHDRAWN = ("Withdrawn: the record was corrected.",
             "The record was corrected since: nothing deviates any more.")  # fmt: skip
# What a deviation is about, by the table of the record.
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "trials_patient": "Patient: enrolment, allocation, participation",
        "trials_enrolment": "Patient: enrolment, allocation, participation",
        "trials_allocation": "Patient: enrolment, allocation, participation",
        "trials_eligibilityassessment": "Eligibility",
        "trials_evidence": "Eligibility",
        "trials_consent": "Consent",
        "trials_visitrecord": "Visits",
        "trials_scheduledscan": "Scan and images",
        "trials_injection": "Injection",
        "trials_formentry": "Forms and reporting",
        "imaging_series": "Scan and images",
        "imaging_transmittal": "Scan and images",
    }
)
OTHER = "Other"
NO_PATIENT = "no patient enrolled there"


def deviations(rows: Rows) -> Content:
    """Deviations by category and rule, by site with rates per patient, and how they stand."""
    enrolled: dict[str, set[str]] = defaultdict(set)
    for one in rows["patients"]:
        if one["enrolled_at"]:
            enrolled[one["site"]].add(one["usubjid"])
    found = [one for one in rows["deviations"] if not is_withdrawn(one)]
    withdrawn = len(rows["deviations"]) - len(found)
    if not found and not enrolled:
        return Content(why_empty=EMPTY)
    missing = reasons({"withdrawn, for the record was corrected": withdrawn})
    parts: list[Table | Figure] = [_by_site(found, enrolled, missing)]
    if found:
        parts += [_by_category(found, enrolled, missing), _by_rule(found, enrolled, missing),
                  _bars(found, missing)]  # fmt: skip
    return Content(parts=tuple(parts))


def is_withdrawn(one: Row) -> bool:
    """Whether nothing deviates any more, as the text says at its end."""
    return str(one.get("text") or "").endswith(WITHDRAWN)


def category_of(one: Row) -> str:
    return CATEGORIES.get(one["about_table"], OTHER)


def rate_of(count: int, patients: int) -> Estimate:
    """Deviations per patient; not estimable where no patient is."""
    if not patients:
        return Estimate(value=None, reason=f"not estimable: {NO_PATIENT}")
    return Estimate(value=count / patients)


def _of(found: Iterable[Row], column: str, value: bool) -> int:
    return sum(1 for one in found if flag_of(one.get(column)) is value)


def _standing(found: Sequence[Row]) -> tuple[int, int, int]:
    states = Counter(one["state"] for one in found)
    return states["drafted"], states["acknowledged"], states["closed"]


STANDING = (
    Column("drafted", "Drafted"),
    Column("acknowledged", "Acknowledged"),
    Column("closed", "Closed"),
)
NOTES = (
    "Important, ICH E3: it may affect the data, or a patient's rights, safety or well-being.",
    "Per patient: all deviations over the patients enrolled, a patient's several ones each. "
    "Deviations of patients who were never enrolled are in the count and not in the denominator.",
)


def _by_site(
    found: Sequence[Row], enrolled: Mapping[str, set[str]], missing: tuple[tuple[str, int], ...]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rates = []
    sites = sorted({*enrolled, *(one["site"] for one in found)})
    groups = [(site, [one for one in found if one["site"] == site]) for site in sites]
    everybody = set().union(*enrolled.values()) if enrolled else set()
    groups.append(("All sites", list(found)))
    for site, inside in groups:
        here = everybody if inside is groups[-1][1] else enrolled.get(site, set())
        hit = here & {one["usubjid"] for one in inside}
        rate = proportion(len(hit), len(here), name="patients with a deviation",
                          method="Clopper-Pearson")  # fmt: skip
        rates.append(rate)
        rows.append(
            (site, len(inside), _of(inside, "is_important", True), Share(len(hit), len(here)),
             estimate_of(rate, scale=100), rate_of(len(inside), len(here)))
        )  # fmt: skip
    return Table(
        title="Deviations by site",
        n=len(found),
        of="deviations",
        missing=missing,
        columns=(
            words("site", "Site"),
            Column("deviations", "Deviations"),
            Column("important", "Important"),
            Column("patients", "Patients with one"),
            Column("share", "Of enrolled (95% interval)", "%"),
            Column("per_patient", "Per enrolled patient", digits=2),
        ),
        rows=tuple(rows),
        notes=(*NOTES, *_unknown(found), *methods_of(rates)),
    )


def _unknown(found: Sequence[Row]) -> tuple[str, ...]:
    """What these rows do not hold: an older export, or one without free text."""
    unknown = sum(1 for one in found if flag_of(one.get("is_important")) is None)
    silent = sum(1 for one in found if not one.get("text"))
    said = (
        (unknown, f"Importance is not in these rows for {unknown}."),
        (silent, f"{silent} have no text here: whether they were withdrawn can't be told."),
    )
    return tuple(sentence for count, sentence in said if count)


def _by_category(
    found: Sequence[Row], enrolled: Mapping[str, set[str]], missing: tuple[tuple[str, int], ...]
) -> Table:
    n = sum(len(who) for who in enrolled.values())
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in found:
        groups[category_of(one)].append(one)
    return Table(
        title="Deviations by what they are about",
        n=len(found),
        of="deviations",
        missing=missing,
        columns=(
            words("category", "About"),
            Column("deviations", "Deviations"),
            Column("important", "Important"),
            Column("patients", "Patients"),
            Column("per_patient", "Per enrolled patient", digits=2),
            *STANDING,
        ),
        rows=tuple(
            (name, len(inside), _of(inside, "is_important", True),
             len({one["usubjid"] for one in inside}), rate_of(len(inside), n), *_standing(inside))
            for name, inside in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
        notes=(*NOTES, *_unknown(found)),
    )  # fmt: skip


def _by_rule(
    found: Sequence[Row], enrolled: Mapping[str, set[str]], missing: tuple[tuple[str, int], ...]
) -> Table:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in found:
        groups[category_of(one), one["rule"] or BY_HAND].append(one)
    n = sum(len(who) for who in enrolled.values())
    return Table(
        title="Deviations by rule",
        n=len(found),
        of="deviations",
        missing=missing,
        columns=(
            words("category", "About"),
            words("rule", "Rule"),
            Column("deviations", "Deviations"),
            Column("important", "Important"),
            Column("patients", "Patients"),
            Column("per_patient", "Per enrolled patient", digits=2),
        ),
        rows=tuple(
            (category, rule, len(inside), _of(inside, "is_important", True),
             len({one["usubjid"] for one in inside}), rate_of(len(inside), n))
            for (category, rule), inside in sorted(groups.items())
        ),
        notes=NOTES,
    )  # fmt: skip


def _bars(found: Sequence[Row], missing: tuple[tuple[str, int], ...]) -> Figure:
    counts: dict[str, Counter[bool | None]] = defaultdict(Counter)
    for one in found:
        counts[one["rule"] or BY_HAND][flag_of(one.get("is_important"))] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    kinds = ((True, "important"), (False, "not important"), (None, "importance not known"))
    parts = tuple(
        (label, tuple(float(count[kind]) for _, count in ordered))
        for kind, label in kinds
        if any(count[kind] for _, count in ordered)
    )
    told = "; ".join(f"{name} {count.total()}, {count[True]} important" for name, count in ordered)
    return Figure(
        title="Deviations by rule and importance",
        n=len(found),
        of="deviations",
        missing=missing,
        drawing=Bars(tuple(name for name, _ in ordered), parts, "Deviations"),
        alternative=f"Bar chart of deviations by rule. {told}.",
    )
