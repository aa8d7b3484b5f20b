"""Safety: who was exposed to what, adverse events after it, vital signs around the injection.

The denominator is who was injected, by tracer. An event belongs to the last tracer injected up to
the day it began; where days do not tell which, it is counted for all patients alone. Sites write
the day an event began by their own clock, so an injection has its day by that clock too. The
mistake to fear is a rate of patients over all who were enrolled.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from reporting.reports.cells import clocks_of, day_of, flag_of, number_of
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    Share,
    Table,
    estimate_of,
    methods_of,
    p_of,
    reasons,
    words,
)
from reporting.reports.drawings import Bars
from reporting.reports.rows import Row, Rows
from reporting.statistics.comparisons import paired_t
from reporting.statistics.proportions import proportion

EVENTS, SIGNS = "form_adverse_events", "form_vital_signs"
EMPTY = "No injection has been recorded yet: nobody was exposed."
BEFORE = "began before the first injection, or the patient was not injected"
GRADES = ("1", "2", "3", "4", "5")
RELATED = ("POSSIBLY RELATED", "RELATED")
RELATIONS = (
    ("NOT RELATED", "Not related"),
    ("UNLIKELY RELATED", "Unlikely"),
    ("POSSIBLY RELATED", "Possibly"),
    ("RELATED", "Related"),
)
WITHHELD = "term withheld from these rows"
NOT_CODED = (
    "Terms as the sites recorded them, upper and lower case alike; the record holds no MedDRA code "
    "and no system organ class."
)
VITALS = (
    ("pulse", "Heart rate", "/min"),
    ("systolic", "Systolic blood pressure", "mmHg"),
    ("diastolic", "Diastolic blood pressure", "mmHg"),
    ("respiration", "Respiratory rate", "/min"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """An adverse event after an injection; `tracer` is empty where it can't be told."""

    patient: str
    term: str
    grade: str
    is_serious: bool
    relation: str
    procedure: str
    tracer: str


@dataclass(frozen=True, slots=True)
class Exposed:
    """Who was injected with what, the events after it, and how many before it.

    `without_clock` are the patients injected of whom the rows do not tell the clock of the site.
    """

    patients: Mapping[str, frozenset[str]]
    injections: Mapping[str, int]
    events: tuple[Event, ...]
    before: int
    without_clock: int = 0

    @property
    def everybody(self) -> frozenset[str]:
        return frozenset().union(*self.patients.values())


def safety(rows: Rows) -> Content:
    """Exposure, adverse events by kind, term, grade and relation, and vital signs."""
    found = exposed(rows)
    if not found.patients:
        return Content(why_empty=EMPTY)
    parts: list[Table | Figure] = [_overview(found)]
    if found.events:
        parts += [_by_term(found), _grades(found), _by_tracer(found), _by_relation(found)]
    if signs := _vitals(rows):
        parts.append(signs)
    return Content(parts=tuple(parts))


def exposed(rows: Rows) -> Exposed:
    """Every injection, and each adverse event held against those of its patient."""
    patients: dict[str, set[str]] = defaultdict(set)
    injections: Counter[str] = Counter()
    given: dict[str, list[Row]] = defaultdict(list)
    zones = {one["patient"]: one.get("site_time_zone") for one in rows["patients"]}
    for one in rows["scans"]:
        if day_of(one["injected_at"]):
            patients[one["tracer"]].add(one["patient"])
            injections[one["tracer"]] += 1
            given[one["patient"]].append(one)
    events, before = [], 0
    for one in rows[EVENTS]:
        who = one["patient"]
        tracer = _tracer(str(one["started_at"] or ""), given[who], clocks_of(zones.get(who)))
        if tracer is None:
            before += 1
        else:
            events.append(_event(one, tracer))
    return Exposed(
        {tracer: frozenset(who) for tracer, who in sorted(patients.items())},
        dict(injections),
        tuple(events),
        before,
        sum(1 for who, scans in given.items() if scans and not zones.get(who)),
    )


def _tracer(began: str, scans: Sequence[Row], clocks: Sequence[tzinfo]) -> str | None:
    """The tracer of an event by each clock that the site may have; empty where they differ."""
    found = {
        tracer_of(
            began,
            [(str(day_of(one["injected_at"], clock)), one["tracer"]) for one in scans],
        )
        for clock in clocks
    }
    return found.pop() if len(found) == 1 else ""


def tracer_of(began: str, given: Sequence[tuple[str, str]]) -> str | None:
    """The last tracer injected up to the day an event began; empty where several may be it.

    None before any injection. `given` has (day, tracer). Of a day known in part only, whatever
    may have been before it counts as before.

    >>> tracer_of("2026-03-05", [("2026-03-02", "PTF"), ("2026-03-09", "FDG")])
    'PTF'
    >>> tracer_of("2026-03", [("2026-03-02", "PTF"), ("2026-03-09", "FDG")])
    ''
    >>> tracer_of("2026-03-01", [("2026-03-02", "PTF")]) is None
    True
    """
    known = began[:10]
    same = {tracer for day, tracer in given if day[: len(known)] == known}
    earlier = sorted(one for one in given if one[0][: len(known)] < known)
    last = {tracer for day, tracer in earlier if day == earlier[-1][0]}
    if not same and not last:
        return None
    is_full = len(known) == len("2026-03-02")
    possible = (same or last) if is_full else same | last
    return next(iter(possible)) if len(possible) == 1 else ""


def _event(one: Row, tracer: str) -> Event:
    term = " ".join(str(one.get("term") or WITHHELD).split())
    return Event(
        patient=one["patient"],
        term=term[:1].upper() + term[1:].lower(),
        grade=str(one["grade"] or ""),
        is_serious=flag_of(one["is_serious"]) is True,
        relation=one["related_tracer"] or "",
        procedure=one["related_procedure"] or "",
        tracer=tracer,
    )


def _missing(found: Exposed) -> tuple[tuple[str, int], ...]:
    return reasons({f"events that {BEFORE}": found.before})


# What is counted of events, in words.
KINDS: tuple[tuple[str, Callable[[Event], bool]], ...] = (
    ("Any adverse event", lambda one: bool(one.term)),
    ("Related to the tracer", lambda one: one.relation in RELATED),
    ("Related to another procedure of the trial", lambda one: one.procedure in RELATED),
    ("Grade 3 or more", lambda one: one.grade in GRADES[2:]),
    ("Serious", lambda one: one.is_serious),
    ("Serious and related to the tracer",
     lambda one: one.is_serious and one.relation in RELATED),
    ("Fatal (grade 5)", lambda one: one.grade == "5"),
)  # fmt: skip


def _overview(found: Exposed) -> Table:
    everybody = found.everybody
    groups: list[tuple[str, frozenset[str], list[Event], int]] = [
        ("All", everybody, list(found.events), sum(found.injections.values())),
    ]
    for tracer, who in found.patients.items():
        inside = [one for one in found.events if one.tracer == tracer]
        groups.append((tracer, who, inside, found.injections[tracer]))
    rows: list[tuple[Cell, ...]] = []
    rates = []
    for tracer, who, events, injections in groups:
        for kind, holds in KINDS:
            inside = [one for one in events if holds(one)]
            hit = {one.patient for one in inside}
            rate = proportion(len(hit), len(who), name=kind.lower(), method="Clopper-Pearson")
            rates.append(rate)
            rows.append((tracer, injections, kind, Share(len(hit), len(who)),
                         estimate_of(rate, scale=100), len(inside)))  # fmt: skip
    unclear = sum(1 for one in found.events if not one.tracer)
    return Table(
        title="Adverse events of those exposed",
        n=len(everybody),
        of="patients injected",
        missing=_missing(found),
        columns=(
            words("tracer", "Tracer"),
            Column("injections", "Injections"),
            words("kind", "Adverse event"),
            Column("patients", "Patients"),
            Column("rate", "Rate (95% interval)", "%"),
            Column("events", "Events"),
        ),
        rows=tuple(rows),
        notes=(
            "The denominator is who was injected with the tracer. Who has no form of an adverse "
            "event counts as without one.",
            "An event belongs to the last tracer injected up to the day it began, days of "
            f"injections by the clock of the site; {unclear} of {len(found.events)} can't be told "
            "so and stand under all alone.",
            *_clocks_missing(found),
            "Related: possibly related or related, as the site judged. Grades: CTCAE 5.0.",
            *methods_of(rates),
        ),
    )


def _clocks_missing(found: Exposed) -> tuple[str, ...]:
    if not found.without_clock:
        return ()
    return (
        f"The clock of the site is not told for {found.without_clock} of the patients: an event "
        "that began about the day of their injection can't be told.",
    )


def _by_term(found: Exposed) -> Table:
    everybody = found.everybody
    return Table(
        title="Adverse events by term",
        n=len(everybody),
        of="patients injected",
        missing=_missing(found),
        columns=(
            words("term", "Term"),
            Column("patients", "Patients"),
            Column("events", "Events"),
            *(Column(f"grade_{grade}", f"Grade {grade}") for grade in GRADES),
            Column("no_grade", "Grade not known"),
            Column("serious", "Serious"),
            Column("related", "Related to the tracer"),
        ),
        rows=tuple(
            (
                term,
                Share(len({one.patient for one in events}), len(everybody)),
                len(events),
                *(_patients_of(worst(events), grade) for grade in (*GRADES, "")),
                len({one.patient for one in events if one.is_serious}),
                len({one.patient for one in events if one.relation in RELATED}),
            )
            for term, events in _terms(found.events)
        ),
        notes=(
            NOT_CODED,
            "A patient counts once for a term, with the highest grade. Columns beside events are "
            "of patients.",
        ),
    )


def worst(events: Iterable[Event]) -> dict[str, str]:
    """The highest grade of each patient; empty where none is known."""
    found: dict[str, str] = {}
    for one in events:
        found[one.patient] = max(found.get(one.patient, ""), one.grade)
    return found


def _patients_of(grades: Mapping[str, str], grade: str) -> int:
    return sum(1 for one in grades.values() if one == grade)


def _terms(events: Iterable[Event]) -> list[tuple[str, list[Event]]]:
    """Events by term, what most patients had first."""
    found: dict[str, list[Event]] = defaultdict(list)
    for one in events:
        found[one.term].append(one)
    return sorted(found.items(), key=lambda item: (-len({e.patient for e in item[1]}), item[0]))


def _grades(found: Exposed) -> Figure:
    terms = _terms(found.events)[:20]
    counts = [(term, worst(events)) for term, events in terms]
    shown = [*GRADES, ""]
    parts = tuple(
        (
            f"grade {grade}" if grade else "grade not known",
            tuple(float(_patients_of(grades, grade)) for _, grades in counts),
        )
        for grade in shown
        if any(_patients_of(grades, grade) for _, grades in counts)
    )
    told = "; ".join(
        f"{term} {len(grades)}: "
        + ", ".join(
            f"{_patients_of(grades, grade)} grade {grade or 'not known'}"
            for grade in shown
            if _patients_of(grades, grade)
        )
        for term, grades in counts
    )
    left = len(_terms(found.events)) - len(terms)
    return Figure(
        title="Patients with an adverse event, by term and highest grade",
        n=len(found.everybody),
        of="patients injected",
        missing=_missing(found),
        notes=(NOT_CODED, *((f"{left} rarer terms are left out.",) if left else ())),
        drawing=Bars(tuple(term for term, _ in counts), parts, "Patients"),
        alternative=f"Bar chart of patients by term and highest grade. {told}.",
    )


def _by_tracer(found: Exposed) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for tracer, who in found.patients.items():
        for term, events in _terms(one for one in found.events if one.tracer == tracer):
            hit = {one.patient for one in events}
            rows.append((tracer, term, Share(len(hit), len(who)), len(events)))
    unclear = sum(1 for one in found.events if not one.tracer)
    return Table(
        title="Adverse events by tracer and term",
        n=len(found.everybody),
        of="patients injected",
        missing=reasons(
            {
                f"events that {BEFORE}": found.before,
                "events of which days do not tell the tracer": unclear,
            }
        ),
        columns=(
            words("tracer", "Tracer"),
            words("term", "Term"),
            Column("patients", "Patients"),
            Column("events", "Events"),
        ),
        rows=tuple(rows),
        notes=("Of those injected with the tracer.", NOT_CODED),
    )


def _by_relation(found: Exposed) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for grade in (*GRADES, ""):
        inside = [one for one in found.events if one.grade == grade]
        if inside:
            of = Counter(one.relation for one in inside)
            known = [of[code] for code, _ in RELATIONS]
            rows.append((f"Grade {grade}" if grade else "Grade not known", *known,
                         len(inside) - sum(known), len(inside)))  # fmt: skip
    return Table(
        title="Adverse events by grade and relation to the tracer",
        n=len(found.events),
        of="events",
        missing=_missing(found),
        columns=(
            words("grade", "Grade"),
            *(Column(code.lower().replace(" ", "_"), label) for code, label in RELATIONS),
            Column("not_known", "Not known"),
            Column("events", "Events"),
        ),
        rows=tuple(rows),
        notes=("Events, not patients. Relation as the site judged it.",),
    )


def _vitals(rows: Rows) -> Table | None:
    """Each sign before against after: the mean of the differences after - before."""
    forms = rows[SIGNS]
    found: list[tuple[Cell, ...]] = []
    results = []
    for name, label, unit in VITALS:
        pairs = [
            (before, after)
            for one in forms
            if (before := number_of(one.get(f"before_{name}"))) is not None
            and (after := number_of(one.get(f"after_{name}"))) is not None
        ]
        if not pairs:
            continue
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        change = paired_t(second, first, unit=unit)
        results.append(change)
        found.append((f"{label}, {unit}", len(pairs), len(forms) - len(pairs), _mean(first),
                      _mean(second), estimate_of(change), p_of(change)))  # fmt: skip
    if not found:
        return None
    return Table(
        title="Vital signs before and after the injection",
        n=len(forms),
        of=f"sets of measurements in {len({one['patient'] for one in forms})} patients",
        columns=(
            words("sign", "Sign"),
            Column("n", "Pairs"),
            Column("missing", "Without one of the two"),
            Column("before", "Mean before"),
            Column("after", "Mean after"),
            Column("change", "After less before (95% interval)"),
            Column("p", "P"),
        ),
        rows=tuple(found),
        notes=(
            "Several sets of one patient count as if they were independent: descriptive.",
            *methods_of(results),
        ),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
