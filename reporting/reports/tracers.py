"""Two tracers in the same patients: per patient, per region and per lesion.

Rows come from comparisons that readers signed here, or from a series that was imported with the
study it is of; the two are never counted together. A patient counts by being compared, with or
without a lesion. A region counts for a patient where the record says something of it on both
tracers: of one without a place of disease nobody recorded that both scans cover it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imaging.paired_table import PairedSite
from imaging.reading_terms import REGIONS
from reporting.reports import tracer_agreement, tracer_uptake
from reporting.reports.content import (
    Column,
    Content,
    Estimate,
    Figure,
    P,
    Share,
    Table,
    estimate_of,
    methods_of,
    p_of,
    reasons,
    words,
)
from reporting.reports.drawings import Rates
from reporting.reports.rows import Row, Rows
from reporting.reports.tracer_agreement import Answers
from reporting.statistics import tracers
from reporting.statistics.accuracy import detection_rate
from reporting.statistics.paired import (
    VARIANTS,
    PairedTable,
    Variant,
    clustered_mcnemar,
    mcnemar,
    paired_table,
    summed,
)
from reporting.statistics.proportions import proportion
from reporting.statistics.results import Result

EMPTY = "No comparison of two tracers is signed, and no series of paired results is imported."
KEPT_BACK = "Signed comparisons that this export keeps back while a blind stands: {}."
IMPORTED = "form_imported_tracer_pair"
POSITIVE, NEGATIVE = "POSITIVE", "NEGATIVE"
# What a reader says of a lesion of a scan.
SAID = {"positive": True, "negative": False}
LEVELS = {"PATIENT": "Patients", "REGION": "Patients, by region"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One 2 x 2 table with its rates and tests."""

    name: str
    table: PairedTable
    first: Result
    second: Result
    tests: tuple[Result, ...]
    missing: tuple[tuple[str, int], ...] = ()


def compared(rows: Rows) -> Content:
    """Each pair of tracers of each source, from signed comparisons and from imported series."""
    parts: list[Table | Figure] = []
    hidden = sum(_is_kept_back(one) for one in rows["comparisons"])
    for group, sites in _own(rows).items():
        patients = _compared_patients(rows, *group)
        pairs = [one for one in _tracer_pairs(rows) if _group(one) == group]
        parts += _own_parts(*group, sites, patients, _classes(pairs), hidden)
        parts += tracer_uptake.parts(_title(*group), *group[:2], pairs)
    for study, entries in _by_study(rows[IMPORTED]).items():
        parts += _imported_parts(study, entries)
    if not parts:
        return Content(why_empty=KEPT_BACK.format(hidden) if hidden else EMPTY)
    return Content(parts=tuple(parts))


def tables_of(entries: Sequence[Row]) -> dict[tuple[str, str], PairedTable]:
    """The 2 x 2 table of each level and region of one imported study, of complete pairs."""
    found: dict[tuple[str, str], list[tuple[bool, bool]]] = defaultdict(list)
    for one in entries:
        if _is_pair(one):
            region = one["region"] if one["level"] == "REGION" else ""
            found[one["level"], region].append(
                (one["first_result"] == POSITIVE, one["second_result"] == POSITIVE)
            )
    return {key: paired_table(pairs) for key, pairs in found.items()}


def _by_study(entries: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for one in entries:
        found[one["study"]].append(one)
    return dict(sorted(found.items()))


def _is_pair(one: Row) -> bool:
    return one["first_result"] is not None and one["second_result"] is not None


def _imported_parts(study: str, entries: Sequence[Row]) -> list[Table | Figure]:
    first, second = entries[0]["first_tracer"], entries[0]["second_tracer"]
    levels = []
    whole = tables_of(entries)
    for (kind, region), table in sorted(whole.items(), key=lambda item: (item[0][0], item[0][1])):
        if kind == "LESION":
            continue
        inside = [
            one
            for one in entries
            if one["level"] == kind and (kind == "PATIENT" or one["region"] == region)
        ]
        lost = len(inside) - table.n
        name = "Patients" if kind == "PATIENT" else f"Patients, {region}"
        levels.append(_patients(name, table, {"not scanned with both tracers": lost}))
    parts: list[Table | Figure] = []
    simulated = any(one["linkage"] == "SIMULATED" for one in entries)
    notes = (
        f"Imported series: {study}. Results are those the source states, not read in this system.",
        *(
            ("Which row is of which patient is not published and was simulated: counts, rates and "
             "McNemar of one table do not depend on it, clustered statistics do.",)
            if simulated
            else ()
        ),
    )  # fmt: skip
    single = [one for one in entries if one["level"] == "PATIENT" and not _is_pair(one)]
    if single and not levels:
        parts.append(_single(study, first, single, notes))
    if levels:
        parts += _parts(f"{first} and {second}, {study}", first, second, levels, notes)
    lesions = [one for one in entries if one["level"] == "LESION"]
    title = f"{first} and {second}, {study}"
    answers = [_answers(level) for level in levels]
    if lesions:
        clusters = _clusters(lesions)
        parts += _lesion_parts(title, first, second, clusters, notes)
        answers.append(_of_lesions(clusters))
    if answers:
        parts.append(tracer_agreement.table(title, answers, notes))
    return parts


def _answers(level: Level) -> Answers:
    return tracer_agreement.of_patients(level.name, level.table, level.missing)


def _of_lesions(clusters: Sequence[PairedTable]) -> Answers:
    """Of those that either tracer shows; what neither shows is counted nowhere."""
    return Answers(
        name=tracer_agreement.LESIONS,
        tables=tuple(replace(one, neither=0) for one in clusters),
        missing=_of_neither(clusters),
        has_neither=False,
    )


def _clusters(lesions: Sequence[Row]) -> list[PairedTable]:
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for one in lesions:
        if _is_pair(one):
            found[one["patient"]].append(
                (one["first_result"] == POSITIVE, one["second_result"] == POSITIVE)
            )
    return [paired_table(pairs) for _, pairs in sorted(found.items())]


def _single(study: str, tracer: str, entries: Sequence[Row], notes: tuple[str, ...]) -> Table:
    known = [one for one in entries if one["first_result"] is not None]
    k = sum(one["first_result"] == POSITIVE for one in known)
    rate = proportion(k, len(known), name="rate of patients positive")
    return Table(
        title=f"{tracer}, {study}: patients positive",
        n=len(known),
        columns=(words("tracer", "Tracer"), Column("positive", "Positive"),
                 Column("rate", "Rate (95% interval)", "%")),
        rows=((tracer, Share(k, len(known)), estimate_of(rate, scale=100)),),
        notes=(*notes, *methods_of([rate])),
    )  # fmt: skip


def _patients(name: str, table: PairedTable, missing: Mapping[str, int]) -> Level:
    rates = [
        proportion(k, table.n, name="rate of patients positive")
        for k in (table.both + table.first_only, table.both + table.second_only)
    ]
    return Level(
        name=name,
        table=table,
        first=rates[0],
        second=rates[1],
        tests=tuple(mcnemar(table, variant=variant) for variant in VARIANTS),
        missing=tuple((reason, count) for reason, count in missing.items() if count),
    )


def _parts(
    title: str, first: str, second: str, levels: Sequence[Level], notes: tuple[str, ...]
) -> list[Table | Figure]:
    missing = Counter(
        {f"{reason} ({level.name})": n for level in levels for reason, n in level.missing}
    )
    absent = tuple(sorted(missing.items()))
    n = max(level.table.n for level in levels)
    results = [one for level in levels for one in (level.first, level.second)]
    tests = [test for level in levels for test in level.tests]
    counts = Table(
        title=f"{title}: patients positive",
        n=n,
        missing=absent,
        columns=(
            words("level", "Level"),
            Column("n", "n"),
            Column("both", "Both"),
            Column("first_only", f"{first} alone"),
            Column("second_only", f"{second} alone"),
            Column("neither", "Neither"),
            Column("first", f"{first} positive"),
            Column("first_rate", f"{first} (95% interval)", "%"),
            Column("second", f"{second} positive"),
            Column("second_rate", f"{second} (95% interval)", "%"),
        ),
        rows=tuple(
            (level.name, level.table.n, level.table.both, level.table.first_only,
             level.table.second_only, level.table.neither,
             Share(level.table.both + level.table.first_only, level.table.n),
             estimate_of(level.first, scale=100),
             Share(level.table.both + level.table.second_only, level.table.n),
             estimate_of(level.second, scale=100))
            for level in levels
        ),
        notes=(*notes, "Without a truth these are rates of positive patients, not sensitivities.",
               *methods_of(results)),
    )  # fmt: skip
    return [counts, _tested(title, levels, tests, absent, n), _rates(title, first, second, levels)]


def _tested(
    title: str,
    levels: Sequence[Level],
    tests: Sequence[Result],
    absent: tuple[tuple[str, int], ...],
    n: int,
) -> Table:
    return Table(
        title=f"{title}: McNemar's test in each variant",
        n=n,
        missing=absent,
        columns=(
            words("level", "Level"),
            Column("difference", "Difference (95% interval)", "points"),
            Column("p_exact", "P, exact"),
            Column("p_mid", "P, mid-P"),
            Column("p_corrected", "P, continuity-corrected"),
            Column("p_uncorrected", "P, uncorrected"),
        ),
        rows=tuple(
            (level.name, estimate_of(level.tests[0], scale=100), *_ps(level.tests))
            for level in levels
        ),
        notes=(
            "The variants may lie on either side of 0.05: the protocol names one beforehand.",
            *methods_of(tests),
        ),
    )


def _ps(tests: Sequence[Result]) -> tuple[P, ...]:
    found = dict(zip(VARIANTS, tests, strict=True))
    order: tuple[Variant, ...] = ("exact", "mid-P", "continuity-corrected", "uncorrected")
    return tuple(p_of(found[name]) for name in order)


def _rates(title: str, first: str, second: str, levels: Sequence[Level]) -> Figure:
    rows = []
    for level in levels:
        for tracer, result in ((first, level.first), (second, level.second)):
            cell = estimate_of(result, scale=100)
            if cell.value is not None:
                rows.append((f"{level.name}: {tracer}", cell.value, cell.lower, cell.upper))
    told = "; ".join(
        f"{name} {value:.1f} %" + (f" ({low:.1f} to {up:.1f})" if low is not None and up else "")
        for name, value, low, up in rows
    )
    return Figure(
        title=f"{title}: rates with their 95% intervals",
        n=max(level.table.n for level in levels),
        notes=methods_of([level.first for level in levels]),
        drawing=Rates(tuple(rows), "Patients positive, %"),
        alternative=f"Rates with intervals. {told}.",
    )


def _of_neither(clusters: Sequence[PairedTable]) -> tuple[tuple[str, int], ...]:
    """Lesions that neither tracer was called positive of, and so are none that either shows."""
    return reasons({tracers.NEITHER: sum(one.neither for one in clusters)})


def _lesion_parts(
    title: str, first: str, second: str, clusters: Sequence[PairedTable], notes: tuple[str, ...]
) -> list[Table | Figure]:
    shown = [
        PairedTable(both=one.both, first_only=one.first_only, second_only=one.second_only,
                    neither=0)
        for one in clusters
    ]  # fmt: skip
    shown = [one for one in shown if one.n]
    whole = summed(shown)
    rates = list(detection_rate(shown).values())
    clustered = [
        clustered_mcnemar(shown, variant="Obuchowski"),
        clustered_mcnemar(shown, variant="Durkalski"),
    ]
    plain = [mcnemar(whole, variant=variant) for variant in VARIANTS]
    missing = _of_neither(clusters)
    counts = Table(
        title=f"{title}: lesions",
        n=whole.n,
        of=f"lesions in {len(shown)} patients",
        missing=missing,
        columns=(
            words("tracer", "Tracer"),
            Column("detected", "Detected"),
            Column("rate", "Detection rate (95% interval)", "%"),
            Column("both", "On both"),
            Column("alone", "On this alone"),
        ),
        rows=(
            (first, Share(whole.both + whole.first_only, whole.n),
             estimate_of(rates[0], scale=100), whole.both, whole.first_only),
            (second, Share(whole.both + whole.second_only, whole.n),
             estimate_of(rates[1], scale=100), whole.both, whole.second_only),
        ),
        notes=(*notes,
               "Of the lesions that either tracer shows: without a truth a detection rate, not a "
               "sensitivity.", *methods_of(rates)),
    )  # fmt: skip
    tested = Table(
        title=f"{title}: tests of the lesions",
        n=whole.n,
        of=f"lesions in {len(shown)} patients",
        missing=missing,
        columns=(
            words("test", "Test"),
            words("standing", "Standing"),
            Column("difference", "Difference (95% interval)", "points"),
            Column("p", "P"),
        ),
        rows=tuple(
            (_test_name(one), standing, _difference(one), p_of(one))
            for standing, results in (("over patients", clustered), ("descriptive", plain))
            for one in results
        ),
        notes=("Lesions lie in patients and are not independent: McNemar's plain test over lesions "
               "is descriptive.", *methods_of([*clustered, *plain])),
    )  # fmt: skip
    return [counts, tested]


def _test_name(result: Result) -> str:
    return f"{result.test.name}, {result.test.variant}" if result.test else result.name


def _difference(result: Result) -> Estimate:
    return estimate_of(result, scale=100)


def _own(rows: Rows) -> dict[tuple[str, str, Any], list[PairedSite]]:
    """Places of disease of signed comparisons by tracers and reader, those without any too."""
    found: dict[tuple[str, str, Any], list[PairedSite]] = {
        _group(one): []
        for one in rows["comparisons"]
        if one["kind"] == "tracers" and not _is_kept_back(one)
    }
    for one in _tracer_pairs(rows):
        found.setdefault(_group(one), []).append(
            PairedSite(
                patient=one["patient"],
                region=one["body_region"] or "",
                is_first=_is_shown(one, "first"),
                is_second=_is_shown(one, "second"),
                is_covered=one["outcome"] != "not-covered",
            )
        )
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def _is_kept_back(one: Row) -> bool:
    """Whether a blinding left empty what a comparison is of."""
    return one["first_tracer"] is None


def _title(first: str, second: str, reader: Any) -> str:
    return f"{first} and {second}, reader {reader}"


def _tracer_pairs(rows: Rows) -> list[Row]:
    return [one for one in rows["pairs"] if one["kind"] == "tracers" and not _is_kept_back(one)]


def _classes(pairs: Sequence[Row]) -> Answers:
    """What the reader called each lesion that is outlined on both scans, on either of them."""
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    unsaid = 0
    for one in pairs:
        if one["first_lesion"] is None or one["second_lesion"] is None:
            continue
        said = one["first_positivity"], one["second_positivity"]
        if set(said) <= set(SAID):
            found[one["patient"]].append((SAID[said[0]], SAID[said[1]]))
        else:
            unsaid += 1
    return Answers(
        name=tracer_agreement.ON_BOTH,
        tables=tuple(paired_table(of) for _, of in sorted(found.items())),
        missing=((tracer_agreement.NOT_STATED, unsaid),) if unsaid else (),
    )


def _group(one: Row) -> tuple[str, str, Any]:
    return one["first_tracer"], one["second_tracer"], one["reader"]


def _is_shown(one: Row, side: str) -> bool:
    return one[f"{side}_lesion"] is not None and one[f"{side}_positivity"] != "negative"


def _compared_patients(rows: Rows, first: str, second: str, reader: Any) -> set[str]:
    return {
        one["patient"]
        for name in ("comparisons", "pairs")
        for one in rows[name]
        if one["kind"] == "tracers" and _group(one) == (first, second, reader)
    }


def _own_parts(
    first: str,
    second: str,
    reader: Any,
    sites: Sequence[PairedSite],
    patients: set[str],
    classes: Answers,
    hidden: int,
) -> list[Table | Figure]:
    """The levels of one reader's comparisons. A region counts for who has a place in it."""
    title = _title(first, second, reader)
    labels = dict(REGIONS)
    levels = [_level("Patients", tracers.of_patients(sites, patients=patients))]
    for region in sorted({one.region for one in sites} - {""}):
        inside = [one for one in sites if one.region == region]
        here = {one.patient for one in inside}
        counted = tracers.of_patients(inside, patients=here)
        level = _level(f"Patients, {labels.get(region, region)}", counted)
        unknown = len(patients) - len(here)
        reason = ("no place of disease there; whether both scans cover it is not recorded", unknown)
        missing = (*level.missing, reason) if unknown else level.missing
        levels.append(
            Level(name=level.name, table=level.table, first=level.first, second=level.second,
                  tests=level.tests, missing=missing)
        )  # fmt: skip
    notes = (
        "Signed comparisons that stand. A lesion that the reader called negative is none.",
        *((KEPT_BACK.format(hidden),) if hidden else ()),
    )
    parts = _parts(title, first, second, levels, notes)
    answers = [_answers(level) for level in levels]
    by_patient: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for one in sites:
        if one.is_covered:
            by_patient[one.patient].append((one.is_first, one.is_second))
    if any(True in pair for pairs in by_patient.values() for pair in pairs):
        clusters = [paired_table(pairs) for _, pairs in sorted(by_patient.items())]
        parts += _lesion_parts(title, first, second, clusters, notes)
        answers.append(_of_lesions(clusters))
    parts.append(tracer_agreement.table(title, [*answers, classes], notes))
    return parts


def _level(name: str, counted: tracers.Compared) -> Level:
    return Level(
        name=name,
        table=counted.table,
        first=counted.first,
        second=counted.second,
        tests=counted.tests,
        missing=counted.first.missing,
    )
