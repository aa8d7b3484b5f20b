"""Screening and enrolment: the flow after CONSORT and STARD, and what kept patients out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from reporting.datasets import DATASETS
from reporting.reports.content import Column, Content, Figure, Share, Table, words
from reporting.reports.drawings import Bars, Box, Flow
from reporting.reports.rows import Row, Rows

NO_USE = ("use", "destroy")
NOBODY = "Nobody has been screened yet."
NOT_ASSESSED = "No eligibility has been assessed yet."


def screening(rows: Rows) -> Content:
    """Who was screened, enrolled, injected, imaged and read, and who left on the way."""
    patients = rows["patients"]
    if not patients:
        return Content(why_empty=NOBODY)
    parts: list[Table | Figure] = [_flow(rows), _by_site(patients)]
    if any(one["screen_failure"] for one in patients):
        parts.append(_why_ended(patients))
    return Content(parts=tuple(parts))


def eligibility(rows: Rows) -> Content:
    """Which criteria kept patients out, and which could not be told."""
    judged = rows["eligibility"]
    if not judged:
        return Content(why_empty=NOT_ASSESSED)
    parts: list[Table | Figure] = []
    for gate, label in codes("eligibility", "gate").items():
        inside = [one for one in judged if one["gate"] == gate]
        if inside:
            parts.extend(_failures(inside, label, is_scan=gate != "enrolment"))
    return Content(parts=tuple(parts))


def codes(dataset: str, column: str) -> Mapping[str, str]:
    """The values of a column with their meaning."""
    (found,) = (one for one in DATASETS[dataset].columns if one.name == column)
    return dict(found.codes)


def _flow(rows: Rows) -> Figure:
    patients = rows["patients"]
    enrolled = {one["patient"] for one in patients if one["enrolled_at"]}
    out = [one for one in patients if one["patient"] not in enrolled]
    failed = Counter(one["screen_failure"] for one in out if one["screen_failure"])
    waiting = sum(1 for one in out if one["state"] == "screening")
    gone = len(out) - failed.total() - waiting
    reasons = codes("patients", "screen_failure")
    leaving = [f"Not enrolled: {len(out)}"]
    leaving += [f"{count} {_lower(reasons[name])}" for name, count in sorted(failed.items())]
    leaving += [f"{waiting} still in screening"] if waiting else []
    leaving += [f"{gone} withdrew before enrolment"] if gone else []
    boxes = [Box((f"Screened: {len(patients)} patients",), tuple(leaving))]
    boxes += _on_the_way(rows, enrolled)
    boxes = [box for box in boxes if box.lines]
    told = " ".join(
        f"{'; '.join(box.lines)}." + (f" {'; '.join(box.leaving)}." if box.leaving else "")
        for box in boxes
    )
    notes = [
        "After CONSORT 2010 and STARD 2015. A patient counts at a step with at least one scan that "
        "came so far. Who withdrew the use of their data is in the first two boxes alone."
    ]
    if rows.hides("scans", "tracer"):
        notes.append("The allocation is concealed: tracers are not told apart.")
    return Figure(
        title="Flow of patients",
        n=len(patients),
        of="patients screened",
        notes=tuple(notes),
        drawing=Flow(tuple(boxes)),
        alternative=f"Flow diagram. {told}",
    )


def _on_the_way(rows: Rows, enrolled: set[str]) -> list[Box]:
    """Enrolled, injected, measured, read: each with who is not there."""
    withdrawn = {
        one["patient"]: one["withdrawal_extent"]
        for one in rows["patients"]
        if one["withdrawal_extent"]
    }
    unused = {patient for patient in enrolled if withdrawn.get(patient) in NO_USE}
    despite = sum(1 for one in rows["patients"] if one["is_enrolled_despite_criteria"])
    scans = [one for one in rows["scans"] if one["patient"] in enrolled]
    by_tracer = partial(_patients, is_told=not rows.hides("scans", "tracer"))
    injected = by_tracer(one for one in scans if one["injected_at"])
    read_scans = {one["scan"] for one in rows["findings"]}
    read = by_tracer(one for one in scans if one["scan"] in read_scans)
    lines = [f"Enrolled: {len(enrolled)}"]
    lines += [f"{despite} though not eligible (deviation)"] if despite else []
    steps = [("Injected", injected, "not injected yet, or never")]
    # The time of uptake tells a measured scan, and the tracer too.
    if not rows.hides("scans", "uptake_minutes"):
        measured = by_tracer(one for one in scans if one["uptake_minutes"] is not None)
        steps.append(("Images measured", measured, "without measured images"))
    steps.append(("Read and signed", read, "without a signed read"))
    here = enrolled - unused
    boxes: list[Box] = []
    for name, found, missing in steps:
        there = set().union(*found.values()) if found else set()
        lost = len(here - there)
        aside = [f"{lost} {missing}"] if lost else []
        if not boxes and unused:
            aside.append(f"{len(unused)} withdrew the use of their data")
        boxes.append(Box(tuple(lines), tuple(aside)))
        lines = [f"{name}: {len(there)}"]
        lines += [f"{len(who)} {tracer}" for tracer, who in sorted(found.items()) if tracer]
        here = there
    boxes.append(Box(tuple(lines)))
    return boxes


def _patients(scans: Iterable[Row], *, is_told: bool) -> dict[str, set[str]]:
    """Who had these scans, by tracer; all together where the tracer is not told."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in scans:
        found[one["tracer"] if is_told else ""].add(one["patient"])
    return dict(found)


def _by_site(patients: Sequence[Row]) -> Table:
    rows = []
    for site in sorted({one["site"] for one in patients}):
        here = [one for one in patients if one["site"] == site]
        states = Counter(one["state"] for one in here)
        enrolled = sum(1 for one in here if one["enrolled_at"])
        rows.append(
            (site, len(here), Share(enrolled, len(here)), states["screening"],
             states["screen_failed"], states["withdrawn"])
        )  # fmt: skip
    return Table(
        title="Patients by site",
        n=len(patients),
        of="patients screened",
        columns=(
            words("site", "Site"),
            Column("screened", "Screened"),
            Column("enrolled", "Enrolled"),
            Column("in_screening", "In screening"),
            Column("screen_failed", "Screen failed"),
            Column("withdrawn", "Withdrawn"),
        ),
        rows=tuple(rows),
    )


def _why_ended(patients: Sequence[Row]) -> Table:
    failed = Counter(one["screen_failure"] for one in patients if one["screen_failure"])
    meaning = codes("patients", "screen_failure")
    return Table(
        title="Why a screening ended",
        n=failed.total(),
        of="patients whose screening ended without enrolment",
        columns=(words("reason", "Reason"), Column("patients", "Patients")),
        rows=tuple(
            (meaning[name], Share(count, failed.total())) for name, count in failed.most_common()
        ),
    )


def _failures(judged: Sequence[Row], gate: str, *, is_scan: bool) -> list[Table | Figure]:
    unit = (lambda one: (one["patient"], one["scan"])) if is_scan else (lambda one: one["patient"])
    units: dict[object, list[Row]] = defaultdict(list)
    for one in judged:
        units[unit(one)].append(one)
    excluded = {key: _named(of, "excludes") for key, of in units.items()}
    unclear = {key: _named(of, "cannot tell") for key, of in units.items()}
    texts = {one["criterion"]: (one["category"], one["text"]) for one in judged}
    rows, bars = [], []
    for criterion, (category, text) in sorted(texts.items()):
        by = sum(1 for names in excluded.values() if criterion in names)
        alone = sum(1 for names in excluded.values() if names == {criterion})
        open_ = sum(1 for names in unclear.values() if criterion in names)
        asked = sum(
            1
            for of in units.values()
            if any(o["criterion"] == criterion and o["word"] != "not applicable" for o in of)
        )
        rows.append((criterion, category, text, asked, Share(by, asked), alone, open_))
        if by or open_:
            bars.append((criterion, float(by), float(open_)))
    of = "scans assessed" if is_scan else "patients assessed"
    gate_note = f"Gate: {gate.lower()}. The newest assessment of each counts."
    found: list[Table | Figure] = [
        Table(
            title=f"Criteria not satisfied: {gate.lower()}",
            n=len(units),
            of=of,
            columns=(
                words("criterion", "Criterion"),
                words("category", "Category"),
                words("text", "Text"),
                Column("applies", "Applies to"),
                Column("excludes", "Kept out"),
                Column("alone", "As the only one"),
                Column("cannot_tell", "Can't be told"),
            ),
            rows=tuple(rows),
            notes=(gate_note, "One patient may be kept out by several criteria."),
        )
    ]
    if bars:
        bars.sort(key=lambda bar: -bar[1])
        told = ", ".join(f"{name} {by:g}, open {op:g}" for name, by, op in bars)
        found.append(
            Figure(
                title=f"Criteria that kept out or are open: {gate.lower()}",
                n=len(units),
                of=of,
                notes=(gate_note,),
                drawing=Bars(
                    names=tuple(name for name, _, _ in bars),
                    parts=(
                        ("kept out", tuple(by for _, by, _ in bars)),
                        ("can't be told yet", tuple(op for _, _, op in bars)),
                    ),
                    axis=of.removesuffix(" assessed").capitalize(),
                ),
                alternative=f"Bar chart of counts by criterion, kept out and open: {told}.",
            )
        )
    return found


def _named(judged: Sequence[Row], word: str) -> set[str]:
    return {one["criterion"] for one in judged if one["word"] == word}


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
