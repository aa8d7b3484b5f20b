"""Analysis populations: the facts their rules look at, and a row for each unit of each of them.

Nine queries for up to 250 patients, and three for each 250 more. Of reads, of the truth and of the
randomisation the facts have that they are there, and nothing of what they say.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from django.db.models import DateTimeField, Exists, Max, OuterRef, Prefetch, Q, QuerySet, Subquery

from imaging.models import Series
from reporting.flow import BROKEN, OVERTAKEN, STANDS, Row
from reporting.models import PopulationMember, PopulationReview
from reporting.selectors.rows import NO_MORE_USE
from trials import populations
from trials.models import (
    Consent,
    CountedRead,
    Deviation,
    FormEntry,
    Injection,
    Patient,
    ScheduledScan,
    Signature,
    Trial,
    Withdrawal,
)
from trials.populations import DeviationFact, PatientFact, Population, ScanFact, Unit
from trials.services import signatures
from trials.services.deviations import SINCE, WITHDRAWN
from trials.services.panel import PATIENT_FORM

PATIENTS_AT_A_TIME = 250
CANCELLED = ScheduledScan.State.CANCELLED
# What a rule says of these is shown. Of others, and in these rules, it may tell what is blind.
TOLD_OF = {one._meta.db_table for one in (Patient, ScheduledScan, Injection, Consent)}
UNTOLD = {"injected-despite-the-gate", "injected-at-its-time", "allocation-unblinded"}


@dataclass(frozen=True)
class Rules:
    """What the newest version of a trial says of its populations."""

    version: str = ""
    populations: list[Population] = field(default_factory=list)
    scans: dict[str, str] = field(default_factory=dict)

    def named(self, identifier: str) -> Population | None:
        return next((one for one in self.populations if one.identifier == identifier), None)


def rules_of(trial: Trial) -> Rules:
    """The populations of a trial and its planned scans, by the version that was loaded last."""
    version = trial.newest_version
    if version is None:
        return Rules()
    scans = dict(version.planned_scans.order_by("pk").values_list("identifier", "label"))
    return Rules(version.label, populations.stated(version.definition), scans)


# ------------------------------------------------------------------------------ the facts


def facts(trial: Trial, *, of: int | None = None) -> list[PatientFact]:
    """The facts of a trial's patients as they are now, or of one of them."""
    return list(each_fact(trial, of=of))


def each_fact(trial: Trial, *, of: int | None = None) -> Iterator[PatientFact]:
    """The facts of a trial's patients one after the other, or of one of them."""
    only = {} if of is None else {"pk": of}
    decided = FormEntry.objects.filter(
        patient=OuterRef("pk"),
        form=PATIENT_FORM,
        is_of_panel=True,
        state=FormEntry.State.COMPLETE,
    ).order_by()
    newest = decided.values("patient").annotate(at=Max("completed_at")).values("at")
    rows = (
        Patient.objects.filter(trial=trial, **only)
        .select_related("site", "enrolment", "screen_failure", "allocation")
        .annotate(truth_at=Subquery(newest, output_field=DateTimeField()))
        .prefetch_related(Prefetch("withdrawals", Withdrawal.objects.order_by("-pk")))
        .order_by("identifier", "pk")
    ).iterator(chunk_size=PATIENTS_AT_A_TIME)
    while some := list(islice(rows, PATIENTS_AT_A_TIME)):
        patients = [row.pk for row in some]
        scans, owners = _scans(patients)
        deviations = _deviations(patients, owners)
        for row in some:
            yield _fact(row, scans[row.pk], deviations[row.pk])


class Facts(Collection[PatientFact]):
    """Facts in few bytes, for who goes through those of many patients more than once."""

    def __init__(self, found: Iterable[PatientFact]) -> None:
        self._kept: list[bytes] = []
        self._number = 0
        left = iter(found)
        while some := list(islice(left, PATIENTS_AT_A_TIME)):
            self._kept.append(zlib.compress(json.dumps(some).encode(), level=1))
            self._number += len(some)

    def __iter__(self) -> Iterator[PatientFact]:
        for some in self._kept:
            yield from json.loads(zlib.decompress(some))

    def __len__(self) -> int:
        return self._number

    def __contains__(self, one: object) -> bool:
        return any(one == each for each in self)


def _fact(row: Patient, scans: list[ScanFact], deviations: list[DeviationFact]) -> PatientFact:
    enrolment, failure = getattr(row, "enrolment", None), getattr(row, "screen_failure", None)
    allocation = getattr(row, "allocation", None)
    left = list(row.withdrawals.all())
    failed = ""
    if failure and not enrolment:
        failed = " ".join([failure.get_category_display().lower(), *failure.criteria])
    return {
        "patient": row.pk,
        "identifier": row.identifier,
        "site": row.site.code,
        "failed": failed,
        "enrolled_at": _moment(enrolment and enrolment.enrolled_at),
        "despite": bool(enrolment and enrolment.is_despite_criteria),
        "randomised_at": _moment(allocation and allocation.allocated_at),
        "withdrawn": left[0].get_extent_display().lower() if left else "",
        "use_withdrawn": any(one.extent in NO_MORE_USE for one in left),
        "truth_at": _moment(row.truth_at),
        "scans": scans,
        "deviations": deviations,
    }


def _scans(
    patients: Sequence[int],
) -> tuple[dict[int, list[ScanFact]], dict[tuple[str, int], str]]:
    """Scans by patient, each planned scan once; and the scan that a row of the record is about."""
    series = Series.objects.filter(imaging_study__scheduled_scan=OuterRef("pk")).exclude(
        code__in=Series.GONE
    )
    read = CountedRead.objects.filter(
        scheduled_scan=OuterRef("pk"), ended_at=None, source_pk__isnull=False
    )
    rows = (
        ScheduledScan.objects.filter(patient__in=patients)
        .annotate(
            images=Exists(series),
            counted=Exists(series.filter(counts=True)),
            read=Exists(read),
        )
        .order_by("patient", "planned_scan__identifier", "pk")
        .values(
            "pk",
            "patient",
            "planned_scan__identifier",
            "planned_scan__label",
            "planned_at",
            "state",
            "cancelled_because",
            "injection",
            "injection__injected_at",
            "images",
            "counted",
            "read",
        )
    )
    attempts: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    owners: dict[tuple[str, int], str] = {}
    for row in rows:
        name = row["planned_scan__identifier"]
        attempts[row["patient"], name].append(row)
        owners[ScheduledScan._meta.db_table, row["pk"]] = name
        if row["injection"]:
            owners[Injection._meta.db_table, row["injection"]] = name
    found: dict[int, list[ScanFact]] = defaultdict(list)
    for (patient, name), tried in attempts.items():
        found[patient].append(_scan(name, tried))
    return found, owners


def _scan(name: str, tried: Sequence[dict[str, Any]]) -> ScanFact:
    """One planned scan of a patient: the attempt that stands, else the last that was cancelled.

    A tracer that was given in an attempt that was aborted was given all the same.
    """
    standing = [one for one in tried if one["state"] != CANCELLED]
    row = (standing or list(tried))[-1]
    given = [one["injection__injected_at"] for one in tried if one["injection"]]
    return {
        "scan": name,
        "label": row["planned_scan__label"],
        "planned_at": _moment(row["planned_at"]),
        "cancelled": "" if standing else row["cancelled_because"] or "no reason recorded",
        "injected_at": _moment(max(given)) if given else "",
        "images": row["images"],
        "counts": row["counted"],
        "read": row["read"],
    }


def _deviations(
    patients: Sequence[int], owners: dict[tuple[str, int], str]
) -> dict[int, list[DeviationFact]]:
    found: dict[int, list[DeviationFact]] = defaultdict(list)
    ended = Q(text__endswith=WITHDRAWN) | Q(text__endswith=SINCE)
    rows = Deviation.objects.filter(patient__in=patients).exclude(ended)
    for row in rows.order_by("pk"):
        is_told = row.rule and row.rule not in UNTOLD and row.subject_table in TOLD_OF
        found[row.patient_id].append(
            {
                "deviation": row.pk,
                "rule": row.rule,
                "text": row.text if is_told else "",
                "important": row.is_important,
                "proposes": str((row.values or {}).get("population", "")),
                "scan": owners.get((row.subject_table, row.subject_pk), ""),
            }
        )
    return found


def _moment(at: Any) -> str:
    return at.isoformat() if at else ""


# ------------------------------------------------------------------------------ the reviews


@dataclass(frozen=True, slots=True)
class Decision:
    """What a review decided of a unit, with its reason where the rule proposed otherwise."""

    is_in: bool
    reason: str


@dataclass(frozen=True)
class Standing:
    """A signed review as it stands now: the word for it, and what changed since, by patient."""

    review: PopulationReview
    signature: Signature | None
    word: str
    changes: dict[int, list[str]]
    of_rule: list[str]
    members: dict[Unit, Decision]

    @property
    def phrases(self) -> list[str]:
        """All that changed, each with its patient."""
        names = {one["patient"]: one["identifier"] for one in self.review.inputs}
        told = [
            f"{names.get(patient, '')}: {phrase}".removeprefix(": ")
            for patient, found in self.changes.items()
            for phrase in found
        ]
        return [*self.of_rule, *told]


def newest_signed(trial: Trial, *, of: int | None = None) -> QuerySet[PopulationReview]:
    """The review in force of each population: the one signed last; its members, or those `of`."""
    only = {} if of is None else {"patient": of}
    members = PopulationMember.objects.filter(**only).select_related("patient").order_by("pk")
    return (
        PopulationReview.objects.filter(trial=trial, state=PopulationReview.State.SIGNED)
        .order_by("population", "-signed_at", "-pk")
        .distinct("population")
        .select_related("trial")
        .prefetch_related(Prefetch("members", members))
    )


def standings(
    trial: Trial, now: Collection[PatientFact], rules: Rules, *, of: int | None = None
) -> dict[str, Standing]:
    """The review in force of each population, held against the facts as they are now.

    Of one patient whether the signature is of what is stored is not asked: that takes all units.
    """
    reviews = newest_signed(trial, of=of)
    return {one.review.population: one for one in _standings(reviews, now, rules, of=of)}


def _standings(
    reviews: QuerySet[PopulationReview],
    now: Collection[PatientFact],
    rules: Rules,
    *,
    of: int | None = None,
    is_lean: bool = False,
) -> Iterator[Standing]:
    """How reviews stand; lean, one is in memory at a time, and then without what it was made on."""
    signed: dict[int, Signature] | None = None
    for review in reviews.iterator(chunk_size=1) if is_lean else reviews:
        if signed is None:
            signed = _signatures(reviews)
        signature = signed.get(review.pk)
        is_whole = of is not None or is_as_signed(review, signature)
        before = [one for one in review.inputs if of in (None, one["patient"])]
        yield _standing(review, signature, before, now, rules, is_whole)
        if is_lean:
            review.inputs = []
            review._prefetched_objects_cache.clear()


def _signatures(reviews: QuerySet[PopulationReview]) -> dict[int, Signature]:
    """The signatures on reviews, without all that was signed."""
    rows = Signature.objects.filter(
        subject_table=PopulationReview._meta.db_table, subject_pk__in=reviews.values("pk")
    )
    return {one.subject_pk: one for one in rows.defer("content").order_by("pk")}


def signature_of(review: PopulationReview) -> Signature | None:
    """The signature on a review."""
    return signatures.of(review)


def is_as_signed(review: PopulationReview, signature: Signature | None) -> bool:
    """Whether what is stored of a review is what its signature is of."""
    if signature is None:
        return False
    return signature.content_sha256 == signatures.digest(content_of(review))


def _standing(
    review: PopulationReview,
    signature: Signature | None,
    frozen: Sequence[PatientFact],
    now: Iterable[PatientFact],
    rules: Rules,
    is_whole: bool,
) -> Standing:
    changed = _changed(frozen, now)
    rule = rules.named(review.population)
    of_rule = []
    if rule is None:
        of_rule = [f"the trial file has no population {review.population} any more"]
    elif rule.to_json() != review.definition["population"]:
        of_rule = [f"the rule of {review.population} is another one in {rules.version}"]
    elif rules_json(rules) != review.definition["rules"]:
        of_rule = [f"a rule that {review.population} may rest on is another one now"]
    word = OVERTAKEN if changed or of_rule else STANDS
    if not is_whole:
        word = BROKEN
    members = {
        Unit(one.patient_id, one.scan): Decision(one.is_in, one.reason)
        for one in review.members.all()
    }
    return Standing(review, signature, word, changed, of_rule, members)


def _changed(frozen: Sequence[PatientFact], now: Iterable[PatientFact]) -> dict[int, list[str]]:
    """What changed by patient: of those that were frozen in their order, then of later ones."""
    left = {one["patient"]: one for one in frozen}
    found = {
        one["patient"]: populations.changes(left.pop(one["patient"], None), one) for one in now
    }
    found |= {patient: populations.changes(one, None) for patient, one in left.items()}
    order = dict.fromkeys([*(one["patient"] for one in frozen), *found])
    return {patient: found[patient] for patient in order if found[patient]}


def rules_json(rules: Rules) -> dict[str, Any]:
    """Every rule and planned scan that a population may rest on."""
    return {
        "populations": [one.to_json() for one in rules.populations],
        "scans": rules.scans,
    }


def content_of(review: PopulationReview) -> dict[str, Any]:
    """What is signed with a review, from what is stored of it."""
    return {
        "trial": review.trial.identifier,
        "population": review.population,
        "definition": review.definition,
        "protocol_version": review.protocol_version,
        "engine": review.engine,
        "inputs_sha256": signatures.digest({"inputs": review.inputs}),
        "exports_taken": review.exports_taken,
        "units": [
            {
                "patient": one.patient.screening_number,
                "scan": one.scan,
                "proposed": one.proposed,
                "reasons": one.reasons,
                "is_in": one.is_in,
                "reason": one.reason,
            }
            for one in review.members.all()
        ],
    }


# ------------------------------------------------------------------------------ the rows


@dataclass(frozen=True)
class Record:
    """All that is known of the populations of a trial at one moment."""

    trial: Trial
    rules: Rules
    facts: Collection[PatientFact]
    standings: dict[str, Standing]
    # The only population that is asked for, if it is not all.
    only: str = ""

    @cached_property
    def rows(self) -> list[Row]:
        """A row for each unit of every population, or of one."""
        return list(self.each_row())

    def each_row(self) -> Iterator[Row]:
        """The same rows one after the other, none of them kept."""
        return _rows(self.trial, self.rules, self.facts, self.standings, only=self.only)


def record(trial: Trial, *, only: str = "") -> Record:
    """The populations of a trial, or one of them."""
    rules, now = rules_of(trial), facts(trial)
    return Record(trial, rules, now, standings(trial, now, rules), only)


def lean_record(trial: Trial) -> Record:
    """The populations of a trial of any size, for who goes through their rows."""
    rules, now = rules_of(trial), Facts(each_fact(trial))
    found = _standings(newest_signed(trial), now, rules, is_lean=True)
    return Record(trial, rules, now, {one.review.population: one for one in found})


def rows(trial: Trial) -> list[Row]:
    """The rows of all populations of a trial; `reporting.flow.flow` makes the figure of them."""
    return record(trial).rows


def of_patient(patient: Patient) -> list[Row]:
    """The rows of one patient, at the level of patients."""
    rules, now = rules_of(patient.trial), facts(patient.trial, of=patient.pk)
    found = standings(patient.trial, now, rules, of=patient.pk)
    every = _rows(patient.trial, rules, now, found)
    return [row for row in every if row.level == populations.PATIENT]


def _rows(
    trial: Trial,
    rules: Rules,
    now: Iterable[PatientFact],
    found: dict[str, Standing],
    *,
    only: str = "",
) -> Iterator[Row]:
    for rule in rules.populations:
        if only and rule.identifier != only:
            continue
        standing = found.get(rule.identifier)
        for fact in now:
            for one in populations.proposals(
                rule, [fact], among=rules.populations, scans=rules.scans
            ):
                yield _row(trial, rule, one, fact, standing)


def _row(
    trial: Trial,
    rule: Population,
    one: populations.Proposal,
    fact: PatientFact,
    standing: Standing | None,
) -> Row:
    given: dict[str, Any] = {}
    if standing:
        member = standing.members.get(one.unit)
        given = {
            "decided": member.is_in if member else None,
            "decision_reason": member.reason if member else "",
            "review": standing.review.pk,
            "standing": _word_of(standing, one.unit, member),
            "changes": (*standing.of_rule, *standing.changes.get(one.unit.patient, ())),
            "signed_by": standing.signature.signer_name if standing.signature else "",
            "signed_at": standing.review.signed_at.isoformat(),
        }
    return Row(
        trial=trial.identifier,
        site=fact["site"],
        patient=fact["patient"],
        identifier=fact["identifier"],
        population=rule.identifier,
        label=rule.label,
        level=rule.level,
        scan=one.unit.scan,
        proposed=one.is_in,
        reasons=one.reasons,
        is_proposed_rule=rule.is_proposed,
        **given,
    )


def _word_of(standing: Standing, unit: Unit, member: Decision | None) -> str:
    """How a review stands for one unit: a change of another patient leaves it standing."""
    if standing.word == BROKEN:
        return BROKEN
    is_changed = member is None or standing.of_rule or unit.patient in standing.changes
    return OVERTAKEN if is_changed else STANDS
