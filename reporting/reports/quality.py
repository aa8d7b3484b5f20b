"""Image quality: which series could be measured, what they do not keep, by site and scanner.

The mistake to fear is a rule without a limit that reads like a pass: the protocol states a limit or
the rule finds nothing, and a report of findings cannot tell the two apart. It says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from imaging import geometry
from imaging.suv_terms import FLAGS
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
from reporting.reports.drawings import Bars
from reporting.reports.rows import Row, Rows
from reporting.statistics.proportions import proportion
from trials.conformance_rules import Limits, Severity, checks

EMPTY = "No PET series has come yet."
PET = "PT"
VERDICTS = (
    ("computed", "Computed"),
    ("flagged", "Computed, flagged"),
    ("review", "For review"),
    ("refused", "Refused"),
)
NOT_ASSEMBLED, NOT_MEASURED = "refused at assembly", "not measured"
MEANINGS = {**geometry.FLAGS, **FLAGS}
GRAVE = (Severity.MAJOR, Severity.BLOCKING)
NO_SCANNER, LEFT_OUT, ALL = "not recorded", "left out of the export", "all"
# What series and scans are counted by.
Place = tuple[str, str]


def conformance(rows: Rows) -> Content:
    """Verdicts, flags, refusals, what was not kept, and uptake times against their window."""
    series = [one for one in rows["series"] if one["modality"] == PET]
    if not series:
        return Content(why_empty=EMPTY)
    parts: list[Table | Figure] = [_verdicts(series), _bars(series)]
    parts += [one for one in (_flags(series), _refusals(series)) if one.rows]
    if rows.has("conformance"):
        parts += [_by_place(series, rows["conformance"]), _by_rule(series, rows["conformance"])]
    parts += [*_windows(rows["scans"], rows["series"])]
    return Content(parts=tuple(parts))


def _place(one: Row) -> Place:
    maker, model = one.get("scanner_manufacturer"), one.get("scanner_model")
    scanner = " ".join(str(part) for part in (maker, model) if part)
    return str(one.get("site") or LEFT_OUT), scanner or NO_SCANNER


def _places(series: Iterable[Row]) -> dict[Place, list[Row]]:
    """Series by site and scanner, and all of them where there are several."""
    found: dict[Place, list[Row]] = defaultdict(list)
    for one in series:
        found[_place(one)].append(one)
    ordered = dict(sorted(found.items()))
    if len(ordered) < 2:
        return ordered
    return {**ordered, (ALL, ALL): [one for mine in ordered.values() for one in mine]}


def verdict(one: Row) -> str:
    """What a series came to."""
    if one["status"]:
        return str(one["status"])
    return NOT_ASSEMBLED if one["state"] == "refused" else NOT_MEASURED


def _verdicts(series: Sequence[Row]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rates = []
    for place, mine in _places(series).items():
        counted = Counter(verdict(one) for one in mine)
        good = counted["computed"] + counted["flagged"]
        rates.append(proportion(good, len(mine), name="share of series with an SUV"))
        rows.append((*place, len(mine), *(counted[name] for name, _ in VERDICTS),
                     counted[NOT_ASSEMBLED], counted[NOT_MEASURED],
                     estimate_of(rates[-1], scale=100)))  # fmt: skip
    return Table(
        title="PET series by verdict of SUV, site and scanner",
        n=len(series),
        of="PET series",
        columns=(
            words("site", "Site"),
            words("scanner", "Scanner"),
            Column("series", "Series"),
            *(Column(name, label) for name, label in VERDICTS),
            Column("not_assembled", "Refused at assembly"),
            Column("not_measured", "Not measured"),
            Column("with_suv", "With an SUV (95% interval)", "%"),
        ),
        rows=tuple(rows),
        notes=("Scanner: the one that the injection names. With an SUV: computed, flagged or not. "
               "Not measured: not corrected for attenuation, blocked by a finding, or waited for. "
               "Series of one patient are taken as independent.", *methods_of(rates)),
    )  # fmt: skip


def _bars(series: Sequence[Row]) -> Figure:
    places = {place: mine for place, mine in _places(series).items() if place != (ALL, ALL)}
    kinds = (*VERDICTS, (NOT_ASSEMBLED, "Refused at assembly"), (NOT_MEASURED, "Not measured"))
    counted = [Counter(verdict(one) for one in mine) for mine in places.values()]
    names = tuple(f"{site}, {scanner}" for site, scanner in places)
    drawn = tuple(
        (label, tuple(float(one[kind]) for one in counted))
        for kind, label in kinds
        if any(one[kind] for one in counted)
    )
    told = "; ".join(
        f"{name}: "
        + ", ".join(f"{one[kind]} {label.lower()}" for kind, label in kinds if one[kind])
        for name, one in zip(names, counted, strict=True)
    )
    return Figure(
        title="PET series by verdict of SUV",
        n=len(series),
        of="PET series",
        drawing=Bars(names, drawn, "PET series"),
        alternative=f"Stacked bars of series by verdict, by site and scanner. {told}.",
    )


def _flags(series: Sequence[Row]) -> Table:
    measured = [one for one in series if one["status"] in ("computed", "flagged")]
    counted = Counter(flag for one in measured for flag in str(one["flags"] or "").split())
    return Table(
        title="Flags of measured series",
        n=len(measured),
        of="PET series",
        missing=reasons({"without an SUV": len(series) - len(measured)}),
        columns=(
            words("flag", "Flag"),
            words("meaning", "What it says"),
            Column("series", "Series"),
        ),
        rows=tuple(
            (flag, MEANINGS.get(flag, "not known to this release"), Share(count, len(measured)))
            for flag, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        ),
        notes=("A series may have several flags: its number stands, and wants a look.",),
    )


def _refusals(series: Sequence[Row]) -> Table:
    refused = [one for one in series if one["code"]]
    counted = Counter((*_place(one), str(one["code"])) for one in refused)
    return Table(
        title="Series that were refused, by reason",
        n=len(refused),
        of="PET series",
        columns=(
            words("site", "Site"),
            words("scanner", "Scanner"),
            words("code", "Reason"),
            Column("series", "Series"),
        ),
        rows=tuple((*key, count) for key, count in sorted(counted.items())),
    )


UNSTATED = (
    "A rule that the protocol states no limit for finds nothing, which is no pass; a finding that "
    "a person let pass stays one."
)


def _judged(series: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """The series that were held to the rules: measured ones, and those a finding keeps from it."""
    with_finding = {one["series"] for one in found}
    return [one for one in series if one["status"] or one["series"] in with_finding]


def _by_place(series: Sequence[Row], found: Sequence[Row]) -> Table:
    judged = _judged(series, found)
    of_series: dict[int, list[Row]] = defaultdict(list)
    for one in found:
        of_series[one["series"]].append(one)
    rows: list[tuple[Cell, ...]] = []
    rates = []
    for place, mine in _places(judged).items():
        some = [one for one in mine if of_series[one["series"]]]
        grave = [one for one in some if _is_grave(of_series[one["series"]])]
        rates.append(proportion(len(mine) - len(some), len(mine), name="share without a finding"))
        rows.append((*place, len(mine), Share(len(some), len(mine)), Share(len(grave), len(mine)),
                     sum(each["is_let_pass"] for one in mine for each in of_series[one["series"]]),
                     estimate_of(rates[-1], scale=100)))  # fmt: skip
    return Table(
        title="Conformance to the protocol and the record, by site and scanner",
        n=len(judged),
        of="PET series",
        missing=reasons({"not held to the rules: not measured": len(series) - len(judged)}),
        columns=(
            words("site", "Site"),
            words("scanner", "Scanner"),
            Column("series", "Series"),
            Column("with_finding", "With a finding"),
            Column("with_grave", "Major or blocking"),
            Column("let_pass", "Findings let pass"),
            Column("conforming", "Without a finding (95% interval)", "%"),
        ),
        rows=tuple(rows),
        notes=(UNSTATED, "Series of one patient are taken as independent.", *methods_of(rates)),
    )  # fmt: skip


def _is_grave(found: Iterable[Row]) -> bool:
    return any(one["severity"] in GRAVE for one in found)


def _by_rule(series: Sequence[Row], found: Sequence[Row]) -> Table:
    judged = _judged(series, found)
    kept = {one["series"]: one for one in judged}
    labels = {one.rule: one.label for one in checks(Limits())}
    counted: dict[tuple[str, str], Counter[Place]] = defaultdict(Counter)
    for one in found:
        if one["series"] in kept:
            counted[one["rule"], one["severity"]][_place(kept[one["series"]])] += 1
    order = list(labels)
    rows = [
        (labels.get(rule, rule), rule, severity, *place, Share(count, len(_at(judged, place))))
        for (rule, severity), places in sorted(
            counted.items(),
            key=lambda item: (order.index(item[0][0]) if item[0][0] in order else -1, item[0][1]),
        )
        for place, count in sorted(places.items())
    ]
    return Table(
        title="What series do not keep, by rule, site and scanner",
        n=len(judged),
        of="PET series",
        columns=(
            words("label", "What is held"),
            words("rule", "Rule"),
            words("severity", "Severity"),
            words("site", "Site"),
            words("scanner", "Scanner"),
            Column("series", "Series"),
        ),
        rows=tuple(rows),
        notes=(UNSTATED, *(() if rows else ("No series has a finding.",))),
    )


def _at(series: Sequence[Row], place: Place) -> list[Row]:
    return [one for one in series if _place(one) == place]


def _windows(scans: Sequence[Row], series: Sequence[Row]) -> list[Table]:
    """Uptake times against the window of the plan, by tracer, site and scanner."""
    scanners = {one["scan"]: _place(one)[1] for one in series if one["modality"] == PET}
    groups: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    lost: Counter[str] = Counter()
    for one in scans:
        if one["scan"] not in scanners:
            continue
        late = _outside(one, lost)
        if late is not None:
            key = (str(one["tracer"]), str(one.get("site") or LEFT_OUT), scanners[one["scan"]])
            groups[key].append(late)
    n = sum(len(mine) for mine in groups.values())
    if not n and not lost:
        return []
    rates, rows = [], []
    for key, mine in sorted(groups.items()):
        inside = sum(one == 0 for one in mine)
        rates.append(proportion(len(mine) - inside, len(mine), name="share out of the window"))
        rows.append((*key, len(mine), inside, sum(one < 0 for one in mine),
                     sum(one > 0 for one in mine), estimate_of(rates[-1], scale=100),
                     min([0.0, *mine]), max([0.0, *mine])))  # fmt: skip
    return [
        Table(
            title="Uptake time against the protocol's window",
            n=n,
            of="scans",
            missing=reasons(lost),
            columns=(
                words("tracer", "Tracer"),
                words("site", "Site"),
                words("scanner", "Scanner"),
                Column("scans", "Scans"),
                Column("inside", "Inside"),
                Column("early", "Too early"),
                Column("late", "Too late"),
                Column("out_rate", "Out of the window (95% interval)", "%"),
                Column("earliest", "Farthest early", "min"),
                Column("latest", "Farthest late", "min"),
            ),
            rows=tuple(rows),
            notes=("From the injection to the start of the series that counts; both ends of the "
                   "window belong to it.", *methods_of(rates)),
        )
    ]  # fmt: skip


def _outside(one: Mapping[str, object], lost: Counter[str]) -> float | None:
    """Minutes before (-) or after (+) the window, 0 inside it; None with its reason in `lost`."""
    taken, low, high = (
        one["uptake_minutes"], one["uptake_low_minutes"], one["uptake_high_minutes"]
    )  # fmt: skip
    if not isinstance(taken, int | float):
        lost["no uptake time: no series counts, or the injection is not known"] += 1
        return None
    ends = [float(end) if isinstance(end, int | float) else None for end in (low, high)]
    if ends == [None, None]:
        lost["the protocol states no window"] += 1
        return None
    if ends[0] is not None and taken < ends[0]:
        return float(taken) - ends[0]
    if ends[1] is not None and taken > ends[1]:
        return float(taken) - ends[1]
    return 0.0
