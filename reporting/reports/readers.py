"""How far the readers of a scan agree: in what they say, and in what they measure.

Each two readers are set beside each other in the order of their numbers, whoever signed first; all
together only where there are several pairs. A silence is no answer: what one of the two did not
state is missing. What neither reader calls a lesion is counted nowhere, so that of lesions there
is no kappa. A region is judged by both where both named the region of every lesion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from imaging.reading_terms import REGIONS
from reporting.reports import measures, response
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
from reporting.reports.drawings import Rates
from reporting.reports.over_patients import over_patients
from reporting.reports.rows import Row, Rows
from reporting.statistics.agreement import (
    Weights,
    clustered_kappa,
    clustered_specific_agreement,
    cross_table,
    kappa,
)
from reporting.statistics.paired import PairedTable, paired_table, summed
from reporting.statistics.proportions import clustered_proportion, proportion
from reporting.statistics.raters import fleiss_kappa, rating_counts
from reporting.statistics.results import Result, not_estimable
from trials import read_rules
from trials.discordance import NEGATIVE, NOT_STATED, POSITIVE

EMPTY = "No scan has two reads that are signed and stand."
LEFT_OUT = "The privacy profile of this export leaves the readers' answers out."
ALL = "all readers"
NOT_BOTH = "not stated by one of the two"
# Answers in the order of the scale that they are of.
SCALES = (
    ("CMR", "PMR", "SMD", "PMD"),
    ("CR", "PR", "SD", "PD"),
    ("1-2", "3", "4", "5"),
    ("1", "2", "3", "4", "5"),
)
NOT_EVALUABLE = "NE"
SIDES = ("left", "bilateral", "right", "not_evaluable")
YES = {POSITIVE: True, NEGATIVE: False, "present": True, "absent": False}
LESIONS_OF_NEITHER = "what neither reader calls a lesion is not counted"
PAIRS = (
    "Readers go by their numbers. Only reads that are signed and stand, each reader apart; an "
    "adjudicator's is not among them."
)
NOTHING_ASKED = "the protocol names nothing that readers may differ in"
OBSERVED = "observed agreement"
DEPENDENT = (
    "Scans, regions and lesions of one patient are not independent: where a patient has several "
    "answers, intervals count patients (agreement by Rao-Scott, kappa by Yang-Zhou, that of all "
    "readers on Gwet's terms)."
)
SEVERAL = (
    "All readers: observed agreement over every pair of readers, kappa by Fleiss with the readers "
    "of a scan exchangeable."
)


@dataclass(frozen=True, slots=True)
class Both:
    """What two readers answered on one scan, the reader of the lower number first."""

    readers: tuple[int, int]
    patient: str
    scan: int
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question with what each two readers answered; `classes` in order where `is_ordered`."""

    label: str
    classes: tuple[str, ...]
    answers: tuple[Both, ...]
    missing: tuple[tuple[str, int], ...] = ()
    is_ordered: bool = False
    has_neither: bool = True

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return sorted({one.readers for one in self.answers})

    def of(self, pair: tuple[int, int] | None) -> list[Both]:
        """The answers of two readers, or of all."""
        return [one for one in self.answers if pair in (None, one.readers)]

    def groups(self) -> Iterator[tuple[str, tuple[int, int] | None]]:
        """Each pair of readers by name, and all of them where there are several."""
        for pair in self.pairs:
            yield named(pair), pair
        if len(self.pairs) > 1:
            yield ALL, None


def agreement(rows: Rows) -> Content:
    """Agreement by question, adjudication, and what was measured twice."""
    answers = rows["reader_agreement"]
    if not answers:
        return Content(why_empty=EMPTY)
    if "first_answer" not in answers[0]:
        return Content(why_empty=LEFT_OUT)
    asked = [*questions(rows)]
    parts: list[Table | Figure] = []
    if any(one.answers for one in asked):
        parts += [_observed(asked), _rates(asked)]
        parts += [make(asked) for make in (_weighted, _specific) if make(asked).rows]
        parts.append(_beside(asked))
    parts.append(_adjudication(rows))
    return Content(parts=(*parts, *measures.between_readers(rows)))


def named(pair: tuple[int, int]) -> str:
    return f"{pair[0]} and {pair[1]}"


def questions(rows: Rows) -> Iterator[Asked]:
    """Each question, those on regions one by one, in the order of the protocol's."""
    answers = rows["reader_agreement"]
    for question, label in read_rules.QUESTIONS.items():
        mine = [one for one in answers if one["question"] == question]
        if not mine:
            continue
        title = label[:1].upper() + label[1:]
        if question == read_rules.REGION:
            yield from _of_regions(mine, answers)
        elif question == read_rules.RESPONSE:
            for rule in sorted({one["subject"] for one in mine}):
                of_rule = [one for one in mine if one["subject"] == rule]
                yield from _of_responses(f"{title}, {response.name_of(rule, rows)}", of_rule)
        else:
            yield _plain(question, title, mine)


def _plain(question: str, title: str, answers: Sequence[Row]) -> Asked:
    both = tuple(_both(one) for one in answers if one["is_comparable"])
    classes = {
        read_rules.SCAN: (POSITIVE, NEGATIVE),
        read_rules.LESION: ("present", "absent"),
        read_rules.ADRENAL_SIDE: SIDES,
    }.get(question)
    is_count = classes is None
    if is_count:
        highest = max([int(said) for one in both for said in (one.first, one.second)] + [1])
        classes = tuple(str(count) for count in range(highest + 1))
    return Asked(
        label=title,
        classes=classes or (),
        answers=both,
        missing=_lost(answers, both),
        is_ordered=is_count,
        has_neither=question != read_rules.LESION,
    )


def _both(one: Row) -> Both:
    first, second = one["first_reader"], one["second_reader"]
    said = one["first_answer"], one["second_answer"]
    if first > second:
        first, second, said = second, first, (said[1], said[0])
    return Both((first, second), one["patient"], one["scan"], *said)


def _lost(answers: Sequence[Row], kept: Sequence[Both]) -> tuple[tuple[str, int], ...]:
    return reasons({NOT_BOTH: len(answers) - len(kept)})


def _of_regions(mine: Sequence[Row], answers: Sequence[Row]) -> Iterator[Asked]:
    """A region that one of two readers names is asked of every two who named all regions."""
    reads = {(one["first_read"], one["second_read"]): one for one in answers}
    unnamed = {(one["first_read"], one["second_read"]) for one in mine if not one["is_comparable"]}
    labels = dict(REGIONS)
    said = {(one["first_read"], one["second_read"], one["subject"]): one for one in mine}
    lost = reasons({"a lesion without a region": len(unnamed)})
    for region in sorted({one["subject"] for one in mine if one["is_comparable"]}):
        found = []
        for key, one in sorted(reads.items()):
            if key in unnamed:
                continue
            neither = {**one, "first_answer": NEGATIVE, "second_answer": NEGATIVE}
            found.append(_both(said.get((*key, region), neither)))
        name = f"Region positive: {labels.get(region, region)}"
        yield Asked(label=name, classes=(POSITIVE, NEGATIVE), answers=tuple(found), missing=lost)


def _of_responses(title: str, answers: Sequence[Row]) -> Iterator[Asked]:
    """The categories, and by their order where both readers have one that is evaluable."""
    both = [_both(one) for one in answers if one["is_comparable"]]
    lost = _lost(answers, both)
    said = {word for one in both for word in (one.first, one.second)}
    scale = next((one for one in SCALES if said - {NOT_EVALUABLE} <= set(one)), None)
    evaluable = tuple(one for one in both if NOT_EVALUABLE not in (one.first, one.second))
    if scale is None:
        yield Asked(label=title, classes=(*sorted(said), "–"), answers=tuple(both), missing=lost)
        return
    if len(evaluable) < len(both):
        every = (*scale, NOT_EVALUABLE)
        yield Asked(label=f"{title}, with NE", classes=every, answers=tuple(both), missing=lost)
    out = {NOT_BOTH: len(answers) - len(both), "not evaluable": len(both) - len(evaluable)}
    yield Asked(
        label=title, classes=scale, answers=evaluable, missing=reasons(out), is_ordered=True
    )


def _share(asked: Asked, pair: tuple[int, int] | None) -> Share:
    mine = asked.of(pair)
    return Share(sum(one.first == one.second for one in mine), len(mine))


def by_patient(answers: Iterable[Both]) -> list[list[Both]]:
    """What was answered of each patient: scans, regions and lesions of one resemble each other."""
    found: dict[str, list[Both]] = defaultdict(list)
    for one in answers:
        found[one.patient].append(one)
    return [found[patient] for patient in sorted(found)]


def rate_of(asked: Asked, pair: tuple[int, int] | None) -> Result:
    """How often the answers are alike; of patients with several the interval counts patients."""
    mine = asked.of(pair)
    clusters = [(sum(one.first == one.second for one in of), len(of)) for of in by_patient(mine)]
    if len(clusters) == len(mine):
        return proportion(sum(k for k, _ in clusters), len(mine), name=OBSERVED)
    return over_patients(clustered_proportion(clusters, name=OBSERVED), "Wilson over patients")


def kappa_of(asked: Asked, pair: tuple[int, int] | None, weights: Weights = "unweighted") -> Result:
    """Cohen's kappa of two readers, Fleiss' of all."""
    mine = asked.of(pair)
    if not asked.has_neither:
        return not_estimable("kappa", LESIONS_OF_NEITHER, n=len(mine))
    if pair is not None:
        tables = [
            cross_table([(one.first, one.second) for one in of], classes=asked.classes)
            for of in by_patient(mine)
        ]
        if len(tables) == len(mine):
            counts = cross_table([(one.first, one.second) for one in mine], classes=asked.classes)
            return kappa(counts, weights=weights)
        return over_patients(clustered_kappa(tables, weights=weights), "Yang-Zhou over patients, t")
    by_scan: dict[tuple[int, str], dict[int, str]] = defaultdict(dict)
    for one in mine:
        said = dict(zip(one.readers, (one.first, one.second), strict=True))
        by_scan[one.scan, one.patient] |= said
    scans = sorted(by_scan)
    counts = rating_counts([by_scan[one] for one in scans], classes=asked.classes)
    patients = [patient for _, patient in scans]
    found = fleiss_kappa(counts, clusters=patients, weights=weights)
    # How many scans it rests on has a column.
    found = replace(found, notes=tuple(one for one in found.notes if "targets" not in one))
    if len(set(patients)) == len(scans):
        return found
    return over_patients(found, "Gwet over patients (Yang-Zhou), t")


def _totals(asked: Iterable[Asked]) -> tuple[int, tuple[tuple[str, int], ...]]:
    """All answers of two readers, and what is missing over the questions."""
    every = list(asked)
    lost: Counter[str] = Counter()
    for one in every:
        lost.update(dict(one.missing))
    return sum(len(one.answers) for one in every), reasons(lost)


def _observed(asked: Sequence[Asked]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in asked:
        for name, pair in one.groups():
            share = _share(one, pair)
            rate = rate_of(one, pair)
            found = kappa_of(one, pair)
            results += [rate, replace(found, name=f"{found.name} of {name}, {one.label}")]
            scans = len({each.scan for each in one.of(pair)})
            rows.append((one.label, name, scans, share, estimate_of(rate, scale=100),
                         estimate_of(found)))  # fmt: skip
    n, lost = _totals(asked)
    return Table(
        title="Agreement of readers by question",
        n=n,
        of="answers of two readers",
        missing=lost,
        columns=(
            words("question", "Question"),
            words("readers", "Readers"),
            Column("scans", "Scans"),
            Column("alike", "Alike"),
            Column("agreement", "Observed agreement (95% interval)", "%"),
            Column("kappa", "Kappa (95% interval)", digits=2),
        ),
        rows=tuple(rows),
        notes=(PAIRS, DEPENDENT, *_several(asked),
               "Kappa: Cohen's of two readers. A region that neither reader names on a scan is "
               "negative for both.", *methods_of(results)),
    )  # fmt: skip


def _several(asked: Iterable[Asked]) -> tuple[str, ...]:
    return (SEVERAL,) if any(len(one.pairs) > 1 for one in asked) else ()


def _rates(asked: Sequence[Asked]) -> Figure:
    drawn, results = [], []
    for one in asked:
        for name, pair in one.groups():
            results.append(rate_of(one, pair))
            cell = estimate_of(results[-1], scale=100)
            if cell.value is not None:
                drawn.append((f"{one.label}: {name}", cell.value, cell.lower, cell.upper))
    told = "; ".join(f"{name} {value:.1f} %" for name, value, _, _ in drawn)
    n, lost = _totals(asked)
    return Figure(
        title="Observed agreement of readers with 95% intervals",
        n=n,
        of="answers of two readers",
        missing=lost,
        notes=(DEPENDENT, *methods_of(results)),
        drawing=Rates(tuple(drawn), "Alike, %"),
        alternative=f"Observed agreement with intervals, by question and readers. {told}.",
    )


def _weighted(asked: Sequence[Asked]) -> Table:
    ordered = [one for one in asked if one.is_ordered]
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in ordered:
        for name, pair in one.groups():
            linear, quadratic = (kappa_of(one, pair, how) for how in ("linear", "quadratic"))
            results += [
                replace(each, name=f"{each.name}, of {name}, {one.label}")
                for each in (linear, quadratic)
            ]
            rows.append((one.label, name, len(one.of(pair)), estimate_of(linear),
                         estimate_of(quadratic)))  # fmt: skip
    n, lost = _totals(ordered)
    return Table(
        title="Weighted kappa of questions whose answers have an order",
        n=n,
        of="answers of two readers",
        missing=lost,
        columns=(
            words("question", "Question"),
            words("readers", "Readers"),
            Column("n", "n"),
            Column("linear", "Linear weights (95% interval)", digits=2),
            Column("quadratic", "Quadratic weights (95% interval)", digits=2),
        ),
        rows=tuple(rows),
        notes=("Weights by the distance of two answers, from 1 for the same to 0 for the ends of "
               "the scale; of a count the scale ends with the highest that was found.",
               *_several(ordered), *methods_of(results)),
    )  # fmt: skip


def specific_of(asked: Asked, pair: tuple[int, int] | None) -> tuple[PairedTable, Result, Result]:
    """Both readers' answers, and their positive and negative agreement over patients.

    Of all that a patient's readers called positive, the share that both did: a proportion over
    answers, in which those of a patient are a cluster.
    """
    tables = [
        paired_table([(YES[each.first], YES[each.second]) for each in of])
        for of in by_patient(asked.of(pair))
    ]
    whole = summed(tables)
    positive, negative = (
        over_patients(one, "Wilson over patients") for one in clustered_specific_agreement(tables)
    )
    if not asked.has_neither:
        negative = not_estimable("negative agreement", LESIONS_OF_NEITHER, n=whole.n)
    return whole, positive, negative


def _specific(asked: Sequence[Asked]) -> Table:
    twofold = [one for one in asked if set(one.classes) <= set(YES)]
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in twofold:
        for name, pair in one.groups():
            table, positive, negative = specific_of(one, pair)
            results += [positive, negative]
            rows.append((one.label, name, table.both, table.first_only, table.second_only,
                         table.neither if one.has_neither else None, estimate_of(positive),
                         estimate_of(negative)))  # fmt: skip
    n, lost = _totals(twofold)
    return Table(
        title="Positive and negative agreement",
        n=n,
        of="answers of two readers",
        missing=lost,
        columns=(
            words("question", "Question"),
            words("readers", "Readers"),
            Column("both", "Both yes"),
            Column("first_only", "First alone"),
            Column("second_only", "Second alone"),
            Column("neither", "Neither"),
            Column("positive", "Positive agreement (95% interval)", digits=2),
            Column("negative", "Negative agreement (95% interval)", digits=2),
        ),
        rows=tuple(rows),
        notes=("Positive agreement 2a/(2a + b + c), negative 2d/(2d + b + c) (Cicchetti & "
               "Feinstein 1990), with the answers of a patient as one cluster (Rao-Scott). Of all "
               "readers the first of each pair is the one of the lower number. Of lesions, where "
               "kappa is not estimable, it is positive agreement that tells how far readers "
               "agree.", *methods_of(results)),
    )  # fmt: skip


def _beside(asked: Sequence[Asked]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in asked:
        for pair in one.pairs:
            counted = Counter((each.first, each.second) for each in one.of(pair))
            place = {name: at for at, name in enumerate(one.classes)}
            for (first, second), count in sorted(
                counted.items(), key=lambda item: (place[item[0][0]], place[item[0][1]])
            ):
                rows.append((one.label, named(pair), _spoken(first), _spoken(second), count))
    n, lost = _totals(asked)
    return Table(
        title="Answers of two readers beside each other",
        n=n,
        of="answers of two readers",
        missing=lost,
        columns=(
            words("question", "Question"),
            words("readers", "Readers"),
            words("first", "First reader"),
            words("second", "Second reader"),
            Column("count", "Count"),
        ),
        rows=tuple(rows),
        notes=("First is the reader of the lower number.",),
    )


def _spoken(answer: str) -> str:
    return answer.replace("_", " ")


def _adjudication(rows: Rows) -> Table:
    """Scans of two readers who differ in what the protocol asks, and whether that is settled."""
    tracers = {one["scan"]: one["tracer"] for one in rows["scans"]}
    read, asked, differ, waiting = set(), set(), set(), set()
    for one in rows["reader_agreement"]:
        read.add(one["scan"])
        if not one["is_asked"]:
            continue
        asked.add(one["scan"])
        silent = NOT_STATED in (one["first_answer"], one["second_answer"])
        if one["question"] == read_rules.RESPONSE and silent:
            waiting.add(one["scan"])
        elif one["is_discordant"]:
            differ.add(one["scan"])
    settled = differ & {one["scan"] for one in rows["findings"] if one["is_accepted"]}
    groups = {
        name: {scan for scan in read if tracers.get(scan, "not stated") == name}
        for name in sorted({tracers.get(scan, "not stated") for scan in read})
    }
    groups = groups | ({"all tracers": read} if len(groups) > 1 else {})
    results: list[Result] = []
    table: list[tuple[Cell, ...]] = []
    for name, scans in groups.items():
        base = scans & asked
        rates = [proportion(len(base & some), len(base), name="rate") for some in (differ, settled)]
        results += rates
        table.append((name, len(scans), Share(len(base & differ), len(base)), _percent(rates[0]),
                      Share(len(base & settled), len(base)), _percent(rates[1]),
                      len(base & differ - settled)))  # fmt: skip
    return Table(
        title="Discordant reads and adjudication",
        n=len(asked),
        of="scans of two or more readers",
        missing=reasons({NOTHING_ASKED: len(read - asked)}),
        columns=(
            words("tracer", "Tracer"),
            Column("scans", "Scans"),
            Column("discordant", "Discordant"),
            Column("discordant_rate", "Discordant (95% interval)", "%"),
            Column("settled", "Adjudicated"),
            Column("settled_rate", "Adjudicated (95% interval)", "%"),
            Column("open", "Not settled"),
        ),
        rows=tuple(table),
        notes=("Discordant: two readers differ, or can't be compared, in a question that the "
               "protocol makes reads discordant by. Adjudicated: a read counts for the scan all "
               "the same.", *_waiting(waiting - differ), *methods_of(results)),
    )  # fmt: skip


def _waiting(scans: set[int]) -> tuple[str, ...]:
    if not scans:
        return ()
    return (f"A response still awaited is no difference so far; scans that wait: {len(scans)}.",)


def _percent(result: Result) -> Estimate:
    return estimate_of(result, scale=100)
