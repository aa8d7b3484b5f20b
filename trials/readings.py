"""What the record says of a variable: its values, and when they are from.

A value is every value it may stand for: a birth month gives two ages, "<30" everything
below, a creatinine of a patient whose sex is not known two eGFRs. The one mistake to fear
is precision that no source gave; what is not known stays wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, Literal

from trials import renal_function, spans, variables
from trials.kleene import Truth
from trials.renal_function import CKD_EPI_2021, COCKCROFT_GAULT, Sex
from trials.spans import Span, Window

Basis = Literal["actual", "planned", "assessment"]
Estimate = Callable[[float, int, Sex], float]
SEX, BIRTH = "sex_at_birth", "birth_date"


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of evidence; `evidence` is its identity in the record."""

    evidence: int
    variable: str
    value: Any
    unit: str
    observed_at: str
    recorded_at: datetime
    source: str
    is_study_specific: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    # A query about the value is open: nothing is concluded from it until it is closed.
    is_doubted: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """A signed consent; dates as far as the paper tells."""

    version: str
    signed_at: str
    withdrawn_at: datetime | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """The time of an event, and what it stands on."""

    at: Span
    basis: Basis = "actual"
    # The evidence that tells it, where it is no event of the record itself.
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """All a criterion may look at.

    `anchors` holds at least "gate", the time the gate is judged for. `zone` says what a day
    is at the site. `tracer` is the identifier of the tracer of the scan judged, if any.
    """

    sex_at_birth: str
    birth: str
    facts: Sequence[Fact]
    consents: Sequence[Consent]
    anchors: Mapping[str, Anchor]
    zone: tzinfo
    tracer: str | None = None
    _by_variable: dict[str, list[Fact]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for fact in self.facts:
            self._by_variable.setdefault(fact.variable, []).append(fact)

    def of(self, variable: str) -> Sequence[Fact]:
        """The facts of one variable."""
        return self._by_variable.get(variable, ())


@dataclass(frozen=True, slots=True)
class Reading:
    """One value a variable may have, from evidence or computed from it.

    `low` and `high` bound a number in the unit asked for; they are NaN for anything else.
    `problem` says what to do about a value nothing can be concluded from.
    """

    value: Any
    words: str
    when: Span
    is_in_window: Truth
    evidence: tuple[int, ...]
    low: float = math.nan
    high: float = math.nan
    # The limits of normal that the laboratory gave with the value, in the unit asked for.
    normal: tuple[float, float] = (math.nan, math.nan)
    problem: str = ""
    workings: Mapping[str, Any] = field(default_factory=dict)


def readings(
    variable: str, *, unit: str, taken: Window, record: Record, scan: str = ""
) -> list[Reading]:
    """Everything the record says of `variable` that may be from within `taken`.

    Of what signed reads found, of one planned `scan`.
    """
    facts = record.of(variable)
    if scan:
        facts = [one for one in facts if one.details.get("planned_scan") == scan]
    own = [_reading(fact, unit, taken, record) for fact in facts]
    if variable in _DERIVED:
        base, derive = _DERIVED[variable]
        derived = [derive(fact, unit, taken, record) for fact in record.of(base)]
        if variable in _LABORATORY_FIRST:
            derived = [one for one in derived if not any(one.when.overlaps(o.when) for o in own)]
        own += derived
    return [one for one in own if one.is_in_window is not Truth.NO]


def chosen(of: Sequence[Reading], select: str) -> tuple[list[Reading], bool]:
    """The readings that `select` asks for, and whether the window surely holds one of them.

    "latest" and "first" give those that may be it; "any", "all" and "worst" all there are.
    """
    if select == "latest":
        return newest(of)
    if select == "first":
        return _earliest(of)
    return list(of), any(one.is_in_window is Truth.YES for one in of)


def newest(of: Sequence[Reading]) -> tuple[list[Reading], bool]:
    """The readings that may be the newest, and whether the window surely holds one of them."""
    possible = _latest(of)
    if all(one.is_in_window is Truth.YES for one in possible):
        return possible, bool(possible)
    sure = _latest([one for one in of if one.is_in_window is Truth.YES])
    return possible + [one for one in sure if one not in possible], bool(sure)


def sexes(record: Record) -> tuple[list[Sex], str, tuple[int, ...]]:
    """The sexes at birth the record leaves possible, in words, and the evidence for it."""
    facts = [fact for fact in record.of(SEX) if fact.value in {"F", "M"}]
    told = ({record.sex_at_birth} & {"F", "M"}) | {fact.value for fact in facts}
    evidence = tuple(fact.evidence for fact in facts)
    if len(told) == 1:
        only: Sex = "F" if "F" in told else "M"
        return [only], variables.shown(SEX, only), evidence
    words = "registration and evidence contradict each other" if told else "unknown"
    return ["F", "M"], words, evidence


def born(record: Record) -> tuple[Span, str, tuple[int, ...]]:
    """When the patient may have been born: what registration and evidence leave possible."""
    facts = [fact for fact in record.of(BIRTH) if fact.value is not None]
    texts = list(dict.fromkeys([record.birth, *(fact.value for fact in facts)]))
    told = [spans.span(text, record.zone) for text in texts]
    evidence = tuple(fact.evidence for fact in facts)
    first, last = max(one.first for one in told), min(one.last for one in told)
    if first <= last:
        return Span(first, last), max(texts, key=len), evidence
    # They contradict each other: any of them may be true.
    widest = Span(min(one.first for one in told), max(one.last for one in told))
    return widest, " or ".join(texts), evidence


def first_consent(record: Record) -> Span | None:
    """When consent was first given, withdrawn since or not."""
    signed = [signed_at(one, record) for one in record.consents]
    return min(signed, key=lambda when: (when.first, when.last), default=None)


def signed_at(consent: Consent, record: Record) -> Span:
    """When a consent may have been signed: not after it was written down."""
    return _by_then(spans.span(consent.signed_at, record.zone), consent.recorded_at)


def observed(fact: Fact, record: Record) -> Span:
    """When a fact may have been observed: not after it was written down."""
    return _by_then(spans.span(fact.observed_at, record.zone), fact.recorded_at)


def between(low: float, high: float) -> str:
    """One number, or the two it lies between."""
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _by_then(when: Span, written_at: datetime | None) -> Span:
    """A span that ends when it was written down; one that lies ahead of that stays as it is."""
    if written_at is None or when.first > written_at:
        return when
    return Span(when.first, min(when.last, written_at))


def _reading(fact: Fact, unit: str, taken: Window, record: Record) -> Reading:
    when = observed(fact, record)
    low, high = _in_unit(fact, unit)
    words = variables.shown(fact.variable, fact.value, fact.unit)
    if unit and fact.unit != unit and not math.isnan(low):
        words += f" = {between(low, high)} {unit}"
    is_early = _is_before_consent(fact, record)
    warning = ", study-specific and before consent" if is_early else ""
    return Reading(
        value=fact.value,
        words=f"{words} ({fact.observed_at}, {fact.source}{warning})",
        when=when,
        is_in_window=spans.within(when, taken),
        evidence=(fact.evidence,),
        low=low,
        high=high,
        normal=_normal(fact, unit),
        problem=_problem(fact),
        workings={
            "evidence": fact.evidence,
            "variable": fact.variable,
            "value": fact.value,
            "unit": fact.unit,
            "compared": _range(low, high),
            "observed_at": fact.observed_at,
            "source": fact.source,
            "before_consent": is_early,
        },
    )


def _in_unit(fact: Fact, unit: str) -> tuple[float, float]:
    is_number = variables.variable(fact.variable).kind == "number"
    if not is_number or not variables.has_kind(fact.variable, fact.value):
        return math.nan, math.nan
    low, high = (
        variables.converted(fact.variable, bound, frm=fact.unit, to=unit or fact.unit)
        for bound in variables.bounds(fact.value)
    )
    return low, high


def _normal(fact: Fact, unit: str) -> tuple[float, float]:
    """The reference range beside a value; NaN where the laboratory gave none."""
    low, high = (
        variables.converted(fact.variable, bound, frm=fact.unit, to=unit or fact.unit)
        if isinstance(bound, int | float)
        else math.nan
        for bound in (fact.details.get("reference_low"), fact.details.get("reference_high"))
    )
    return low, high


def _problem(fact: Fact) -> str:
    if fact.value is None and fact.variable in variables.FROM_READS:
        return f"No signed read tells it: {fact.source}"
    if fact.value is None:
        return "It was asked and is not known: ask again and record the answer."
    if not variables.has_kind(fact.variable, fact.value):
        return "This is no value of this kind: check it against the source and correct it."
    if not variables.is_plausible(fact.variable, fact.value, fact.unit):
        return "There is no such value: check it against the source and correct it."
    if fact.is_doubted:
        return "A query about this value is open: answer it first."
    return ""


def _egfr(fact: Fact, _unit: str, taken: Window, record: Record) -> Reading:
    def estimate(creatinine: float, age: int, sex: Sex) -> float:
        return renal_function.ckd_epi_2021(creatinine, age=age, sex=sex)

    return _estimated(fact, taken, record, estimate, CKD_EPI_2021, "mL/min/1.73 m2")


def _clearance(fact: Fact, _unit: str, taken: Window, record: Record) -> Reading:
    """With the newest weight in the same window, which the words name."""
    weights, is_sure = newest(readings("weight", unit="kg", taken=taken, record=record))
    if not is_sure or len(weights) != 1 or weights[0].problem:
        bare = _reading(fact, "mg/dL", taken, record)
        return replace(bare, problem=f"{COCKCROFT_GAULT} needs the weight: record it.")
    weight = weights[0]
    if weight.low != weight.high:
        bare = _reading(fact, "mg/dL", taken, record)
        problem = f"{COCKCROFT_GAULT} needs the weight itself, got {weight.words}: record it."
        return replace(bare, problem=problem)

    def estimate(creatinine: float, age: int, sex: Sex) -> float:
        return renal_function.cockcroft_gault(creatinine, age=age, sex=sex, weight=weight.low)

    reading = _estimated(fact, taken, record, estimate, COCKCROFT_GAULT, "mL/min")
    return replace(
        reading,
        words=f"{reading.words}, weight {weight.words}",
        evidence=(*reading.evidence, *weight.evidence),
        workings={**reading.workings, "weight": weight.workings},
    )


def _body_mass_index(fact: Fact, _unit: str, taken: Window, record: Record) -> Reading:
    """Weight in kg by the square of the newest height in m."""
    weight = _reading(fact, "kg", taken, record)
    height = _one(readings("height", unit="cm", taken=_ever(taken), record=record))
    if height is None:
        return replace(weight, problem="The body mass index needs the height: record it.")
    return _computed(weight, height, "weight / height²", "kg/m2", lambda a, b: a / (b / 100) ** 2)


def _renin_ratio(fact: Fact, unit: str, taken: Window, record: Record) -> Reading:
    """Aldosterone by renin of the same day, of the kind that the unit asks for."""
    aldosterone = _reading(fact, "ng/dL", taken, record)
    kind, renin_unit = _RENIN.get(unit, ("", ""))
    of_the_day = [
        one
        for one in readings(kind, unit=renin_unit, taken=taken, record=record)
        if one.when.overlaps(aldosterone.when)
    ]
    renin = _one(of_the_day)
    if renin is None:
        label = variables.variable(kind).label.lower()
        problem = f"The ratio needs the {label} of the same day; the other kind is not converted."
        return replace(aldosterone, problem=problem)
    return _computed(aldosterone, renin, "aldosterone / renin", unit, lambda a, b: a / b)


def _pregnancy(fact: Fact, _unit: str, taken: Window, record: Record) -> Reading:
    """A pregnancy test tells whether the patient is pregnant."""
    reading = _reading(fact, "", taken, record)
    return replace(reading, value=fact.value == "positive", words=f"test {reading.words}")


def _one(of: Sequence[Reading]) -> Reading | None:
    """The newest reading, if it is one and says something."""
    found, is_sure = newest(of)
    usable = is_sure and len(found) == 1 and not found[0].problem and found[0].low > 0
    return found[0] if usable else None


def _ever(taken: Window) -> Window:
    """Up to the end of a window, from whenever: an adult's height does not run out."""
    return Window(Span(spans.BEGINNING, spans.BEGINNING), taken.end)


def _computed(
    one: Reading,
    other: Reading,
    formula: str,
    unit: str,
    compute: Callable[[float, float], float],
) -> Reading:
    """A value of two readings, over all that either may be; both are positive."""
    if one.problem:
        return one
    if math.isinf(other.high) or not one.low > 0:
        return replace(one, problem=f"{formula} can't be computed of a bound.")
    values = [compute(a, b) for a in (one.low, one.high) for b in (other.low, other.high)]
    low, high = min(values), max(values)
    return replace(
        one,
        words=f"{between(low, high)} {unit} by {formula} from {one.words} and {other.words}",
        evidence=(*one.evidence, *other.evidence),
        low=low,
        high=high,
        workings={
            **one.workings,
            "formula": formula,
            "compared": _range(low, high),
            "with": dict(other.workings),
        },
    )


def _estimated(
    fact: Fact, taken: Window, record: Record, estimate: Estimate, formula: str, unit: str
) -> Reading:
    """A formula on one creatinine, over every age and sex the patient may have had."""
    reading = _reading(fact, "mg/dL", taken, record)
    if reading.problem:
        return reading
    birth, _, birth_evidence = born(record)
    possible, _, sex_evidence = sexes(record)
    ages = spans.completed_years(birth, reading.when, record.zone)
    try:
        values = [
            _at_the_ends(estimate, bound, age, sex)
            for bound in (reading.low, reading.high)
            for age in ages
            for sex in possible
        ]
    except renal_function.RenalFunctionError as error:
        return replace(reading, problem=f"{formula} can't be computed: {error}.")
    low, high = min(values), max(values)
    people = " or ".join(variables.shown(SEX, sex).lower() for sex in possible)
    return replace(
        reading,
        words=f"{between(low, high)} {unit} by {formula} from creatinine {reading.words}, "
        f"{between(*ages)} years, {people}",
        evidence=(*reading.evidence, *birth_evidence, *sex_evidence),
        low=low,
        high=high,
        workings={
            **reading.workings,
            "formula": formula,
            "compared": _range(low, high),
            "age_years": list(ages),
            "sex_at_birth": possible,
        },
    )


def _at_the_ends(estimate: Estimate, creatinine: float, age: int, sex: Sex) -> float:
    # The open ends of "<0.2" and ">15": next to no creatinine, and ever more of it.
    if creatinine == 0:
        return math.inf
    return 0.0 if math.isinf(creatinine) else estimate(creatinine, age, sex)


def _latest(of: Sequence[Reading]) -> list[Reading]:
    latest = max((one.when.first for one in of), default=spans.BEGINNING)
    return [one for one in of if one.when.last >= latest]


def _earliest(of: Sequence[Reading]) -> tuple[list[Reading], bool]:
    """As `newest`, from the other end."""
    possible = _soonest(of)
    if all(one.is_in_window is Truth.YES for one in possible):
        return possible, bool(possible)
    sure = _soonest([one for one in of if one.is_in_window is Truth.YES])
    return possible + [one for one in sure if one not in possible], bool(sure)


def _soonest(of: Sequence[Reading]) -> list[Reading]:
    soonest = min((one.when.last for one in of), default=spans.END)
    return [one for one in of if one.when.first <= soonest]


def _is_before_consent(fact: Fact, record: Record) -> bool:
    first = first_consent(record)
    if first is None or not fact.is_study_specific:
        return False
    return spans.before(spans.span(fact.observed_at, record.zone), first) is Truth.YES


def _range(low: float, high: float) -> list[float | None] | None:
    """Both ends for JSON, which has neither NaN nor infinity."""
    if math.isnan(low):
        return None
    return [low, None if math.isinf(high) else high]


_Derivation = Callable[[Fact, str, Window, Record], Reading]
_DERIVED: Mapping[str, tuple[str, _Derivation]] = {
    "egfr": ("creatinine", _egfr),
    "creatinine_clearance": ("creatinine", _clearance),
    "bmi": ("weight", _body_mass_index),
    "arr": ("aldosterone", _renin_ratio),
    "pregnant": ("pregnancy_test", _pregnancy),
}
# Of one day the laboratory's own figure counts, not ours.
_LABORATORY_FIRST = {"egfr", "creatinine_clearance"}
_RENIN = {
    "(ng/dL)/(mU/L)": ("renin.direct", "mU/L"),
    "(ng/dL)/(ng/mL/h)": ("renin.activity", "ng/mL/h"),
}
# What a computed variable rests on, besides itself.
BASES: Mapping[str, frozenset[str]] = {
    "egfr": frozenset({"creatinine", SEX, BIRTH}),
    "creatinine_clearance": frozenset({"creatinine", "weight", SEX, BIRTH}),
    "bmi": frozenset({"weight", "height"}),
    "arr": frozenset({"aldosterone", "renin.direct", "renin.activity"}),
    "pregnant": frozenset({"pregnancy_test"}),
}
