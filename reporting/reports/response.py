"""Response to treatment: best response, rates, change of each patient, and time to progression.

Only a response that counts is used: that of the read which counts for its scan. Nothing after a
progression is a best response. Of RECIST the best overall response is that of the last scan,
confirmed as the protocol asks; the metabolic scales know no confirmation, and the best of a
patient's scans counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType

from reporting.reports.cells import clocks_of, day_of, moment_of, number_of
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    Share,
    Table,
    estimate_of,
    methods_of,
    reasons,
    words,
)
from reporting.reports.drawings import Curve, Lane, Lines, Survival, Swimmer, Waterfall
from reporting.reports.rows import Row, Rows
from reporting.statistics.responses import NotEvaluable, response_rate
from reporting.statistics.results import Absent
from reporting.statistics.survival import kaplan_meier, median_survival, survival_at
from trials import response_rules

PROGRESSION = "form_progression"
EMPTY = "No response has been evaluated, and no form of progression is completed."
NOT_READ = "no later scan read and signed"
NOT_COUNTING = "evaluated, but no read counts: readers differ, or more are to read"
NOT_EVALUABLE = "not evaluable"
DAYS_OF_MONTHS = ((6, 183), (12, 365))
NO_USE = ("use", "destroy")
# Before every scan of which the injection is known.
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scale:
    """The classes of a scale from best to worst, and what the usual rates count."""

    classes: tuple[str, ...]
    complete: str
    partial: str
    stable: tuple[str, ...]
    progression: str
    # What a change in percent is of, and where the scale draws its lines.
    change: str = ""
    lines: tuple[tuple[str, float], ...] = ()


def _metabolic(change: str = "", lines: tuple[tuple[str, float], ...] = ()) -> Scale:
    return Scale(("CMR", "PMR", "SMD", "PMD"), "CMR", "PMR", ("SMD",), "PMD", change, lines)


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "percist": _metabolic(
            "Change of SULpeak of the hottest lesions",
            (("progression above +30 %", 30.0), ("response from −30 %", -30.0)),
        ),
        "eortc": _metabolic(
            "Change of SUVmax of the hottest lesion at baseline",
            (("progression above +25 %", 25.0), ("response beyond −25 %", -25.0)),
        ),
        "lugano": _metabolic(),
        "recist": Scale(
            ("CR", "PR", "SD", "NON-CR/NON-PD", "PD"),
            "CR",
            "PR",
            ("SD", "NON-CR/NON-PD"),
            "PD",
            "Change of the sum of diameters",
            (("progression from +20 % of the lowest", 20.0), ("response from −30 %", -30.0)),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class At:
    """A response that counts, so many days after the first scan; None where no day is known."""

    day: int | None
    category: str
    best: str | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Course:
    """One patient by one rule: the responses in their order, and why there is none."""

    patient: str
    responses: tuple[At, ...]
    days: int | None
    goes_on: bool
    absent: str = ""


def response(rows: Rows) -> Content:
    """Each rule of the protocol that responses were evaluated by, and time to progression."""
    parts: list[Table | Figure] = []
    for rule in _rules(rows):
        scale = SCALES.get(rule["criterion"])
        title = name_of(rule["rule"], rows)
        if scale is None:
            parts.append(_scores(rows, rule, title))
        else:
            parts += _of_scale(scale, title, courses(rows, rule["rule"], scale))
    parts += _time_to_progression(rows)
    return Content(parts=tuple(parts)) if parts else Content(why_empty=EMPTY)


def courses(rows: Rows, rule: str, scale: Scale) -> list[Course]:
    """Every enrolled patient who was injected, with the responses of one rule that count."""
    found: dict[str, list[Row]] = defaultdict(list)
    for one in rows["responses"]:
        if one["rule"] == rule:
            found[one["patient"]].append(one)
    scans: dict[str, list[Row]] = defaultdict(list)
    for one in rows["scans"]:
        if one["injected_at"]:
            scans[one["patient"]].append(one)
    enrolled = [one for one in rows["patients"] if one["enrolled_at"]]
    used = [one for one in enrolled if one["withdrawal_extent"] not in NO_USE]
    return [
        _course(one, found[one["patient"]], scans[one["patient"]], scale)
        for one in sorted(used, key=lambda one: str(one["patient"]))
        if scans[one["patient"]]
    ]


def best_of(course: Course, scale: Scale) -> str | Absent:
    """The best response of a patient, or why there is none."""
    if course.absent:
        return Absent(course.absent)
    until = until_progression(course, scale)
    said = [until[-1].best] if until[-1].best else [one.category for one in until]
    known = [one for one in said if one in scale.classes]
    return min(known, key=scale.classes.index) if known else Absent(NOT_EVALUABLE)


def until_progression(course: Course, scale: Scale) -> Sequence[At]:
    """The responses up to the first progression, it among them."""
    for place, one in enumerate(course.responses):
        if one.category == scale.progression:
            return course.responses[: place + 1]
    return course.responses


def best_change(course: Course, scale: Scale) -> float | None:
    """The lowest change in percent up to progression; -100 where nothing is left to measure."""
    known = [_change(one, scale) for one in until_progression(course, scale)]
    return min((one for one in known if one is not None), default=None)


def _change(one: At, scale: Scale) -> float | None:
    if one.change is None and one.category == scale.complete:
        return -100.0
    return one.change


def name_of(rule: str, rows: Rows) -> str:
    """What the scale of a rule is called, told apart if need be."""
    return response_rules.name(rule, [{**one, "identifier": one["rule"]} for one in _rules(rows)])


def _rules(rows: Rows) -> list[Row]:
    found = {one["rule"]: one for one in rows["responses"]}
    return [found[name] for name in sorted(found)]


def _course(patient: Row, found: Sequence[Row], scans: Sequence[Row], scale: Scale) -> Course:
    # Without the clock of the site the days are those of Greenwich.
    zone = patient.get("site_time_zone")
    clock = clocks_of(zone)[0] if zone else UTC
    days = {one["scan"]: day_of(one["injected_at"], clock) for one in scans}
    counting = [one for one in found if one["is_accepted"]]
    start = min((one for one in days.values() if one), default=None)
    bases = [days[one["baseline_scan"]] for one in counting if one["baseline_scan"] in days]
    start = min((one for one in bases if one), default=start)
    responses = sorted(
        (_at(one, days.get(one["scan"]), start) for one in counting),
        key=lambda one: (one.day is None, one.day or 0),
    )
    last = max((one for one in days.values() if one), default=None)
    progressed = any(one.category == scale.progression for one in responses)
    return Course(
        patient=str(patient["patient"]),
        responses=tuple(responses),
        days=(last - start).days if last and start else None,
        goes_on=patient["state"] == "enrolled" and not progressed,
        absent="" if counting else (NOT_COUNTING if found else NOT_READ),
    )


def _at(one: Row, day: date | None, start: date | None) -> At:
    return At(
        (day - start).days if day and start else None,
        one["category"],
        one["best"],
        one["change_percent"],
    )


def _of_scale(scale: Scale, title: str, found: Sequence[Course]) -> list[Table | Figure]:
    parts: list[Table | Figure] = [_best(scale, title, found), _rates(scale, title, found)]
    if scale.change and any(best_change(one, scale) is not None for one in found):
        parts.append(_waterfall(scale, title, found))
    if scale.change and any(_line(one, scale) for one in found):
        parts.append(_spider(scale, title, found))
    if any(one.days is not None and one.responses for one in found):
        parts.append(_swimmer(title, found))
    return parts


def _absent(scale: Scale, found: Sequence[Course]) -> tuple[tuple[str, int], ...]:
    absent = (best_of(one, scale) for one in found)
    return reasons(Counter(one.reason for one in absent if isinstance(one, Absent)))


def _said(scale: Scale) -> str:
    if scale is SCALES["recist"]:
        return (
            "Best overall response up to the last scan that counts, confirmed as the protocol asks."
        )
    return "The best of a patient's scans up to progression; this scale asks for no confirmation."


def _best(scale: Scale, title: str, found: Sequence[Course]) -> Table:
    best = [best_of(one, scale) for one in found]
    known = Counter(one for one in best if isinstance(one, str))
    n = known.total()
    return Table(
        title=f"{title}: best response",
        n=n,
        missing=_absent(scale, found),
        columns=(words("response", "Best response"), Column("patients", "Patients")),
        rows=tuple((_meaning(one), Share(known[one], n)) for one in scale.classes),
        notes=(
            _said(scale),
            "Patients enrolled and injected; a response counts with the read that counts for its "
            "scan.",
        ),
    )


def _meaning(category: str) -> str:
    from reporting.datasets.responses import CATEGORIES

    return f"{dict(CATEGORIES)[category]} ({category})"


def _rates(scale: Scale, title: str, found: Sequence[Course]) -> Table:
    best = [best_of(one, scale) for one in found]
    wanted = (
        ("Objective response", (scale.complete, scale.partial)),
        ("Complete response", (scale.complete,)),
        ("Disease control", (scale.complete, scale.partial, *scale.stable)),
    )
    rows: list[tuple[Cell, ...]] = []
    results = []
    for name, responders in wanted:
        for left, label in (("left out", "evaluable"), ("non-responders", "all")):
            way: NotEvaluable = "left out" if left == "left out" else "non-responders"
            rate = response_rate(
                best,
                responders=responders,
                classes=scale.classes,
                not_evaluable=way,
                name=name.lower(),
            )
            k = sum(1 for one in best if one in responders)
            rows.append((name, ", ".join(responders), label, Share(k, rate.n),
                         estimate_of(rate, scale=100)))  # fmt: skip
            results.append(rate)
    told = ", ".join(f"{count} {reason}" for reason, count in _absent(scale, found))
    return Table(
        title=f"{title}: response rates",
        n=len(best),
        of="patients enrolled and injected",
        columns=(
            words("rate", "Rate"),
            words("counted", "Counted"),
            words("denominator", "Of whom"),
            Column("count", "Patients"),
            Column("estimate", "Rate (95% interval)", "%"),
        ),
        rows=tuple(rows),
        notes=(
            "Evaluable: who has a best response. All: who is not evaluable, or has no response yet,"
            " counts as without one" + (f" ({told})." if told else "."),
            # What each rate leaves out is told once, above.
            *methods_of(replace(one, notes=()) for one in results),
        ),
    )


def _waterfall(scale: Scale, title: str, found: Sequence[Course]) -> Figure:
    known = [(one.patient, best_change(one, scale), best_of(one, scale)) for one in found]
    bars = sorted(
        (
            (name, change, best if isinstance(best, str) else NOT_EVALUABLE)
            for name, change, best in known
            if change is not None
        ),
        key=lambda bar: (-bar[1], bar[0]),
    )
    lost = Counter(
        best.reason if isinstance(best, Absent) else "without a change in percent"
        for _, change, best in known
        if change is None
    )
    told = "; ".join(f"{name} {change:+.0f} % ({best})" for name, change, best in bars)
    return Figure(
        title=f"{title}: best change of each patient",
        n=len(bars),
        missing=reasons(lost),
        notes=(*_measured(scale, found), _said(scale)),
        drawing=Waterfall(tuple(bars), f"{scale.change}, %", scale.lines),
        alternative=f"Waterfall plot, from the largest rise to the largest fall. {told}.",
    )


def _measured(scale: Scale, found: Sequence[Course]) -> tuple[str, ...]:
    """What is drawn without having been measured."""
    drawn = any(
        one.change is None and one.category == scale.complete
        for course in found
        for one in course.responses
    )
    if not drawn:
        return ()
    return (f"{scale.complete} that leaves no lesion to measure is drawn at −100 %.",)


def _line(course: Course, scale: Scale) -> tuple[tuple[float, float], ...]:
    """Change over days from the baseline scan, which is 0 on day 0."""
    points = [
        (float(one.day), change)
        for one in course.responses
        if one.day is not None and (change := _change(one, scale)) is not None
    ]
    return ((0.0, 0.0), *points) if points else ()


def _spider(scale: Scale, title: str, found: Sequence[Course]) -> Figure:
    lines = [(one.patient, line) for one in found if (line := _line(one, scale))]
    lost = Counter(
        one.absent or "without a change in percent, or without its day"
        for one in found
        if not _line(one, scale)
    )
    told = "; ".join(
        f"{name}: " + ", ".join(f"day {day:g} {change:+.0f} %" for day, change in line[1:])
        for name, line in lines
    )
    return Figure(
        title=f"{title}: change over time",
        n=len(lines),
        missing=reasons(lost),
        notes=("From the baseline scan, which is day 0.", *_measured(scale, found)),
        drawing=Lines(tuple(lines), "Days from the baseline scan", f"{scale.change}, %",
                      scale.lines),
        alternative=f"Spider plot, a line a patient. {told}.",
    )  # fmt: skip


def _swimmer(title: str, found: Sequence[Course]) -> Figure:
    lanes, lost = [], Counter[str]()
    for one in found:
        if one.days is None:
            lost["without the day of a scan"] += 1
            continue
        marks = [(float(at.day), at.category) for at in one.responses if at.day is not None]
        lanes.append(Lane(one.patient, float(one.days), one.goes_on, tuple(marks)))
    lanes.sort(key=lambda lane: (-lane.days, lane.name))
    told = "; ".join(
        f"{lane.name} {lane.days:g} days"
        + "".join(f", {name} on day {day:g}" for day, name in lane.marks)
        + (", goes on" if lane.goes_on else "")
        for lane in lanes
    )
    return Figure(
        title=f"{title}: time on study and responses",
        n=len(lanes),
        missing=reasons(lost),
        notes=(
            "From the first scan to the last one injected. An arrow: enrolled, and no progression "
            "by this scale so far.",
        ),
        drawing=Swimmer(tuple(lanes), "Days from the first scan"),
        alternative=f"Swimmer plot, a bar a patient. {told}.",
    )


def _scores(rows: Rows, rule: Row, title: str) -> Table:
    """A scale of scores knows no response: the score of each patient's last scan is counted.

    An earlier scan may be evaluated again after a later one; the order of evaluations tells nothing
    but which of two of the same scan is the newer.
    """
    injected = {one["scan"]: moment_of(one["injected_at"]) for one in rows["scans"]}
    counting = [
        one for one in rows["responses"] if one["rule"] == rule["rule"] and one["is_accepted"]
    ]
    counting.sort(key=lambda one: (injected.get(one["scan"]) or NEVER, one["evaluation"]))
    last = {one["patient"]: one["category"] for one in counting}
    counts = Counter(last.values())
    seen = {one["patient"] for one in rows["responses"] if one["rule"] == rule["rule"]}
    return Table(
        title=f"{title}: score of the last scan",
        n=len(last),
        missing=reasons({NOT_COUNTING: len(seen - set(last))}),
        columns=(words("score", "Score"), Column("patients", "Patients")),
        rows=tuple((name, Share(count, len(last))) for name, count in sorted(counts.items())),
        notes=("This scale gives scores and no classes of response: no rate is made of them.",),
    )


def _time_to_progression(rows: Rows) -> list[Table | Figure]:
    """A curve for each day that the forms count from; times of two origins are not one curve."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in rows[PROGRESSION]:
        groups[one["origin"] or "day not stated"].append(one)
    enrolled = sum(1 for one in rows["patients"] if one["enrolled_at"])
    parts: list[Table | Figure] = []
    for origin, inside in sorted(groups.items()):
        parts += _survival(origin, inside, enrolled - len(inside) if len(groups) == 1 else 0)
    return parts


def _survival(origin: str, inside: Sequence[Row], without: int) -> list[Table | Figure]:
    known = [
        (time, one["is_event"] == "EVENT")
        for one in inside
        if (time := number_of(one["time_days"])) is not None and one["is_event"]
    ]
    missing = reasons(
        {
            "without a completed form of progression": max(without, 0),
            "day of the event known in part only": len(inside) - len(known),
        }
    )
    times, events = [time for time, _ in known], [event for _, event in known]
    title = f"Progression-free survival from {_ORIGINS.get(origin, origin.lower())}"
    results = [median_survival(times, events, unit="days")] if times else []
    results += [survival_at(times, events, time=days, unit="days") for _, days in DAYS_OF_MONTHS]
    rows: list[tuple[Cell, ...]] = [
        ("Patients", Share(len(known), len(inside)), None),
        ("Events", Share(sum(events), len(known)), None),
        ("Censored", Share(len(known) - sum(events), len(known)), None),
    ]
    if times:
        rows.append(("Median, days", None, estimate_of(results[0])))
    for (months, _), one in zip(DAYS_OF_MONTHS, results[-len(DAYS_OF_MONTHS) :], strict=True):
        rows.append(
            (f"Free of progression at {months} months, %", None, estimate_of(one, scale=100))
        )
    table = Table(
        title=title,
        n=len(known),
        missing=missing,
        columns=(
            words("statistic", "Statistic"),
            Column("count", "Count"),
            Column("estimate", "Estimate (95% interval)"),
        ),
        rows=tuple(rows),
        notes=(
            "Kaplan-Meier. Progression or death, whichever is first; censored on the last day "
            "known to be free of it.",
            *methods_of(results),
        ),
    )
    return [table, _curve(title, times, events, missing)] if times else [table]


_ORIGINS = {
    "ENROLMENT": "enrolment",
    "SCAN": "the scan of the trial",
    "THERAPY": "begin of therapy",
    "END OF THERAPY": "end of therapy",
}


def _curve(
    title: str,
    times: Sequence[float],
    events: Sequence[bool],
    missing: tuple[tuple[str, int], ...],
) -> Figure:
    drops = kaplan_meier(times, events)
    steps = [(0.0, 1.0), *((drop.time, drop.survival) for drop in drops)]

    def free_at(time: float) -> float:
        return [survival for at, survival in steps if at <= time][-1]

    lost = sorted(time for time, event in zip(times, events, strict=True) if not event)
    told = "; ".join(f"{drop.survival:.0%} from day {drop.time:g}" for drop in drops)
    return Figure(
        title=f"{title}: curve",
        n=len(times),
        missing=missing,
        notes=("Kaplan-Meier; a tick is a patient censored. Below the axis: patients at risk.",),
        drawing=Survival(
            (Curve("all patients", tuple(steps), tuple((at, free_at(at)) for at in lost),
                   tuple(sorted(times))),),
            "Days",
            "Free of progression",
        ),
        alternative=f"Kaplan-Meier curve of {len(times)} patients, {sum(events)} events. "
        + (f"Falls to {told}." if told else "No event: it stays at 100 %."),
    )  # fmt: skip
