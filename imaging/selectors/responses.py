"""Response of patients, as those see it who see what readers found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from imaging.models import GrownLesion, Read, ResponseEvaluation
from imaging.response.judging import activity_mbq, factor, glucose
from imaging.response.questions import QUESTIONS
from imaging.response.terms import FLAGS
from imaging.response.trend import Trend, Value, trend
from imaging.selectors import comparisons as selecting
from imaging.selectors import recist
from trials import finding_tests, permissions, response_rules
from trials.models import Finding, Patient, ScheduledScan, Trial, User
from trials.selectors import counted_reads

SCAN = selecting.SCAN
NO_LATER_READ = "No read of this scan has been signed."
NO_BASELINE_READ = "No baseline read has been signed by this reader."
# What the picture over time shows of the hottest lesion.
_DRAWN = ("SUVMAX", "SUVPEAK")
ON_ITS_WAY = "Not evaluated yet: it follows the signature within a minute."


@dataclass(frozen=True)
class Cell:
    """What a rule says of one later scan by one reader, or why it says nothing."""

    reader: User | None
    evaluation: ResponseEvaluation | None
    missing: str = ""
    # Those before it, newest first.
    earlier: Sequence[ResponseEvaluation] = ()

    @property
    def flags(self) -> list[str]:
        return [FLAGS[one] for one in self.evaluation.flags] if self.evaluation else []

    @property
    def recist(self) -> recist.Table | None:
        return recist.of_inputs(self.evaluation.inputs) if self.evaluation else None

    @property
    def sides(self) -> list[Side]:
        inputs = self.evaluation.inputs if self.evaluation and not self.recist else {}
        named = (("Baseline", inputs.get("baseline")), ("Later scan", inputs.get("later")))
        return [Side(name, side, inputs["rule"]) for name, side in named if side]


@dataclass(frozen=True)
class Side:
    """What an evaluation froze of one scan, in words and with the way to each number."""

    name: str
    frozen: Mapping[str, Any]
    rule: Mapping[str, Any]

    @property
    def lesions(self) -> list[dict[str, Any]]:
        return [one | {"address": _derivation(one)} for one in self.frozen["lesions"]]

    @property
    def regions(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Normal tissue by name; the blood pool only where a reader stands for it."""
        liver, blood = self.frozen["liver"], self.frozen.get("blood_pool")
        named = [("Liver", liver), *([("Blood pool", blood)] if blood else [])]
        return [(name, one and one | {"address": _of_region(one["pk"])}) for name, one in named]

    @property
    def activity_mbq(self) -> float | None:
        return activity_mbq(self.frozen)

    @property
    def glucose(self) -> str:
        found = glucose(self.frozen)
        return found.words if found else ""

    @property
    def factor(self) -> float | None:
        """SUL, or SUV by surface, over SUV by body weight; None where the scale uses neither."""
        suv_type = self.rule.get("lean_mass") or self.rule.get("suv_type", "BW")
        try:
            return None if suv_type == "BW" else factor(self.frozen, suv_type)
        except ValueError:
            return None

    @property
    def answers(self) -> list[tuple[str, str]]:
        said = self.frozen["answers"]
        return [
            (one.text, dict(one.choices)[said[one.code]])
            for one in QUESTIONS.values()
            if said.get(one.code)
        ]


def _of_region(pk: int) -> str:
    return reverse("region_derivation", args=[pk, "suvmean"])


@dataclass(frozen=True)
class Timepoint:
    """A later scan of a rule: the planned one, the scheduled one if there is one."""

    label: str
    scan: ScheduledScan | None
    cells: Sequence[Cell]


@dataclass(frozen=True)
class RuleOfPatient:
    """One rule of the protocol with the scans of a patient that it judges."""

    rule: Mapping[str, Any]
    words: str
    tracer: str
    baseline: str
    baseline_scan: ScheduledScan | None
    baseline_readers: Sequence[User]
    needs_baseline: bool
    timepoints: Sequence[Timepoint]


@dataclass
class PatientResponse:
    """All rules of a patient, and the picture of SUV over time."""

    rules: list[RuleOfPatient] = field(default_factory=list)
    trend: Trend | None = None


def evaluations(user: User) -> QuerySet[ResponseEvaluation]:
    """What a person may see: nothing of where they read themselves."""
    rows = _with_acceptance(permissions.listed(ResponseEvaluation.objects, user, "response.view"))
    read_by_them = ResponseEvaluation.objects.visible_to(user, "reading.view").order_by()
    return rows.exclude(pk__in=read_by_them.values("pk"))


def _with_acceptance(rows: QuerySet[ResponseEvaluation]) -> QuerySet[ResponseEvaluation]:
    """With whether the read of the later scan counts, and which one does or why none."""
    accepted = counted_reads.accepted(Read._meta.db_table, "later_read")
    why = counted_reads.why(f"later_read__{SCAN}")
    return rows.annotate(is_accepted=accepted, why_counted=why)


def may_see(user: User, patient: Patient) -> bool:
    """Whether responses are shown: never to one who may read here too."""
    scope = patient.scope()
    return user.may_for("response.view", scope) and not user.may_for("reading.view", scope)


def patients(user: User) -> QuerySet[Patient]:
    """Enrolled patients of trials that judge response."""
    rows = permissions.listed(Patient.objects, user, "response.view")
    blind = Patient.objects.visible_to(user, "reading.view").order_by()
    judging = Trial.objects.filter(versions__definition__has_key="response").order_by()
    rows = rows.filter(trial__in=judging, enrolment__isnull=False)
    return rows.exclude(pk__in=blind.values("pk")).select_related("trial", "site")


def standing_of(patients: Iterable[Patient]) -> dict[int, list[ResponseEvaluation]]:
    """What stands of each patient, by the time of the scan; one query."""
    rows = (
        _with_acceptance(ResponseEvaluation.objects)
        .filter(**{f"later_read__{SCAN}__patient__in": list(patients)}, is_current=True)
        .select_related("reader", f"later_read__{SCAN}__planned_scan")
        .order_by(f"later_read__{SCAN}__planned_at", "rule", "pk")
    )
    found: dict[int, list[ResponseEvaluation]] = {}
    for one in rows:
        found.setdefault(_scan(one.later_read).patient_id, []).append(one)
    return found


def of_patient(patient: Patient) -> PatientResponse:
    """What each rule of the protocol in force says of a patient; a fixed number of queries."""
    version = patient.site.version_in_force
    rules = version.response_rules if version else []
    if not rules:
        return PatientResponse()
    scans = {
        one.planned_scan.identifier: one
        for one in patient.scheduled_scans.select_related("planned_scan__tracer")
        .annotate(why_counted=counted_reads.why())
        .order_by("planned_at", "pk")
        if one.state != ScheduledScan.State.CANCELLED
    }
    found = _Found(
        scans=scans,
        labels={one.identifier: one.label for one in version.planned_scans.all()},
        tracers={one.identifier: one.name for one in version.tracers.all()},
        reads=list(
            selecting.standing_reads()
            .filter(**{f"{SCAN}__patient": patient})
            .select_related("reader", SCAN)
            .order_by("pk")
        ),
        evaluations=list(
            _with_acceptance(ResponseEvaluation.objects)
            .filter(**{f"later_read__{SCAN}__patient": patient})
            .select_related("reader", f"later_read__{SCAN}")
            .order_by("-pk")
        ),
    )
    return PatientResponse([_rule(one, found) for one in rules], _trend(patient))


@dataclass(frozen=True)
class _Found:
    """What is on record of a patient."""

    scans: Mapping[str, ScheduledScan]
    labels: Mapping[str, str]
    tracers: Mapping[str, str]
    reads: Sequence[Read]
    evaluations: Sequence[ResponseEvaluation]

    def readers_of(self, scan: ScheduledScan | None) -> list[User]:
        return [one.reader for one in self.reads if scan and _scan(one) == scan]


def _rule(rule: Mapping[str, Any], found: _Found) -> RuleOfPatient:
    baseline = found.scans.get(rule["baseline"])
    return RuleOfPatient(
        rule=rule,
        words=response_rules.words(rule),
        tracer=found.tracers.get(rule["tracer"], rule["tracer"]),
        baseline=found.labels.get(rule["baseline"], rule["baseline"]),
        baseline_scan=baseline,
        baseline_readers=found.readers_of(baseline),
        needs_baseline=response_rules.CRITERIA[rule["criterion"]].needs_baseline,
        timepoints=[_timepoint(rule, name, found) for name in rule["follow_ups"]],
    )


def _timepoint(rule: Mapping[str, Any], name: str, found: _Found) -> Timepoint:
    scan = found.scans.get(name)
    label = found.labels.get(name, name)
    if scan is None:
        return Timepoint(label, None, [Cell(None, None, "This scan is not scheduled.")])
    return Timepoint(label, scan, list(_cells(rule, scan, found)))


def _cells(rule: Mapping[str, Any], scan: ScheduledScan, found: _Found) -> Iterator[Cell]:
    rows = [
        one
        for one in found.evaluations
        if one.rule == rule["identifier"] and _scan(one.later_read) == scan
    ]
    readers = found.readers_of(scan)
    everyone = list(dict.fromkeys([*(one.reader for one in rows), *readers]))
    if not everyone:
        yield Cell(None, None, NO_LATER_READ)
    for reader in everyone:
        mine = [one for one in rows if one.reader == reader]
        if current := next((one for one in mine if one.is_current), None):
            yield Cell(reader, current, earlier=[one for one in mine if one != current])
        else:
            yield Cell(reader, None, _missing(rule, reader, readers, mine, found), earlier=mine)


def _missing(
    rule: Mapping[str, Any],
    reader: User,
    readers: Sequence[User],
    mine: Sequence[ResponseEvaluation],
    found: _Found,
) -> str:
    """Why no evaluation stands."""
    if reader not in readers:
        return mine[0].ended_because or NO_LATER_READ
    needs = response_rules.CRITERIA[rule["criterion"]].needs_baseline
    if needs and reader not in found.readers_of(found.scans.get(rule["baseline"])):
        return mine[0].ended_because if mine and mine[0].ended_because else NO_BASELINE_READ
    return ON_ITS_WAY


def _trend(patient: Patient) -> Trend | None:
    rows = (
        Finding.objects.filter(
            patient=patient,
            superseded_at=None,
            lesion_number=None,
            test__in=("LESNUM", *_DRAWN),
        )
        .select_related("scheduled_scan__planned_scan__tracer", "evaluator")
        .order_by("pk")
    )
    return trend(list(_values(rows)))


def _values(rows: Iterable[Finding]) -> Iterator[Value]:
    for one in rows:
        scan = one.scheduled_scan
        of = f"{scan.planned_scan.tracer.name}, {one.evaluator}"
        if one.test in _DRAWN:
            yield Value(f"{one.get_test_display()}, {of}", scan.planned_at, one.number)
        elif one.number == 0:
            for test in _DRAWN:
                yield Value(f"{finding_tests.TESTS[test].name}, {of}", scan.planned_at, None)


def _derivation(lesion: Mapping[str, Any]) -> str:
    is_grown = lesion["table"] == GrownLesion._meta.db_table
    name = "derivation_grown" if is_grown else "derivation"
    return reverse(name, args=[lesion["pk"], "suvpeak"]).removesuffix("suvpeak/")


def _scan(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan
