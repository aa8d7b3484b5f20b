"""Response evaluated from signed reads: frozen inputs, a scale, an answer that says why.

The scale is a pure function of what is frozen (`imaging.response.judging`), so that each answer
can be judged again from its row. Nothing is overwritten: another answer supersedes, and one whose
read ends says so (`read_endings.end_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from imaging.models import (
    LesionComparison,
    LesionRead,
    Quantification,
    Read,
    ReferenceRegion,
    ResponseEvaluation,
)
from imaging.response import judging, qpet
from imaging.selectors import comparisons as selecting
from imaging.selectors import recist, regions, volumes
from imaging.services import (
    comparisons,
    open_volumes,
    read_counting,
    recist_lesions,
    response_answers,
    response_orders,
)
from imaging.services.quantification import peak_of
from imaging.suv_checks import BQ_PER_MBQ
from trials import canonical, response_rules, variables
from trials.models import Injection, Job, Patient, ProtocolVersion, ScheduledScan
from trials.selectors import counted_reads
from trials.services import audit, jobs, patients
from trials.services.errors import Refused
from trials.version import VERSION

SCAN = "quantification__series__imaging_study__scheduled_scan"
NO_BASELINE_COUNTS = "No read of the baseline that it is compared with counts any more."


@dataclass(frozen=True)
class Due:
    """A response that can be evaluated: a rule, and one reader's reads of its scans."""

    version: ProtocolVersion
    rule: Mapping[str, Any]
    baseline: Read | None
    later: Read
    # What RECIST looks at between the two, and the scans there that this reader did not sign.
    earlier: tuple[Read, ...] = ()
    unread: tuple[ScheduledScan, ...] = ()


def evaluate(claim: jobs.Claim) -> None:
    """Evaluate every response of a patient that the standing reads allow; none twice."""
    patient, began = begun(claim.arguments["patient"])
    found = [(due, inputs_of(due)) for due in due_of(patient)]
    with (
        jobs.fenced(claim),
        audit.action(
            "response.evaluated",
            actor=jobs.system_user(),
            reason="signed reads",
            trial=patient.trial_id,
            patient=patient.pk,
        ),
    ):
        _hold(due.later for due, _ in found)
        if _is_overtaken(claim):
            return
        changed = {scan_of(due.later) for due, inputs in found if _keep(due, inputs, began)}
        _end_without_baseline(patient, [due for due, _ in found])
        # What readers may differ in is the response too.
        voided = read_counting.settle_after(
            {scan_of(due.later) for due, _ in found},
            ended=changed,
            because=read_counting.RESPONSE_CHANGED,
        )
        if voided:
            # Who settled it may have read anew, and later scans be compared with that read.
            jobs.enqueue(claim.kind, actor=jobs.system_user(), on=patient, patient=patient.pk)
        response_orders.confirm(patient.pk, began)


def begun(patient: int) -> tuple[Patient, datetime]:
    """A patient, and a time: what was recorded before is seen, and what is not seen is newer.

    Who records a fact holds the patient still before it takes its time, and until it is seen.
    """
    with transaction.atomic():
        held = patients.hold_still(Patient(pk=patient))
        return held, timezone.now()


def _end_without_baseline(patient: Patient, dues: Iterable[Due]) -> None:
    """An adjudicator's answer holds no more where no read of its baseline counts any more."""
    kept = {(due.later.pk, due.rule["identifier"]) for due in dues}
    compared = [name for name, one in response_rules.CRITERIA.items() if one.needs_baseline]
    rows = ResponseEvaluation.objects.filter(
        **{f"later_read__{SCAN}__patient": patient},
        later_read__is_adjudication=True,
        criterion__in=compared,
        is_current=True,
    )
    left = [row.pk for row in rows if (row.later_read_id, row.rule) not in kept]
    ResponseEvaluation.objects.filter(pk__in=left).update(
        is_current=False, ended_at=timezone.now(), ended_because=NO_BASELINE_COUNTS
    )


def _hold(reads: Iterable[Read]) -> None:
    """No other job keeps an answer of these reads until this one has ended.

    Rows that name a read may come all the same: who signs another read of the scan checks at its
    commit that it is there, while this job waits for that very signature.
    """
    keys = {one.pk for one in reads}
    held = Read.objects.select_for_update(of=("self",), no_key=True)
    list(held.filter(pk__in=keys).order_by("pk"))


def _is_overtaken(claim: jobs.Claim) -> bool:
    """Whether it was ordered once more since: that job read, or will read, newer inputs."""
    patient = claim.arguments["patient"]
    return Job.objects.filter(
        pk__gt=claim.job, kind=claim.kind, arguments__patient=patient
    ).exists()


def due_of(patient: Patient) -> Iterator[Due]:
    """Each rule with each later scan and each reader who signed it, and the baseline if needed."""
    rows = selecting.standing_reads().filter(**{f"{SCAN}__patient": patient})
    reads = list(
        rows.select_related(
            f"{SCAN}__planned_scan__version",
            f"{SCAN}__planned_scan__tracer",
            f"{SCAN}__patient__site",
        ).order_by(f"{SCAN}__planned_at", "pk")
    )
    for later in reads:
        plan = scan_of(later).planned_scan
        for rule in plan.version.response_rules:
            if plan.identifier not in rule["follow_ups"]:
                continue
            needs = response_rules.CRITERIA[rule["criterion"]].needs_baseline
            # One that is not compared with would end the answer when it ends.
            baseline = _baseline(reads, later, rule) if needs else None
            if baseline or not needs:
                between = _between(reads, rule, baseline, later)
                unread = _unread(between, rule, baseline, later)
                yield Due(plan.version, rule, baseline, later, between, unread)


def _baseline(reads: list[Read], later: Read, rule: Mapping[str, Any]) -> Read | None:
    """The same reader's read of the last baseline scan before a later one.

    Who settles a difference reads that scan alone: there the baseline read that counts. Of RECIST
    it is that one always, whose lesions the adjudicator followed.
    """
    before = [
        one
        for one in reads
        if scan_of(one).planned_scan.identifier == rule["baseline"]
        and scan_of(one).planned_at < scan_of(later).planned_at
    ]
    mine = [one for one in before if one.reader_id == later.reader_id]
    if later.is_adjudication and (not mine or rule["criterion"] == recist.CRITERION):
        mine = _counting(before)
    return mine[-1] if mine else None


def _counting(reads: list[Read]) -> list[Read]:
    """Those that count for their scans."""
    found = counted_reads.of_scans(scan_of(one).pk for one in reads)
    counting = {one.source_pk for one in found.values()}
    return [one for one in reads if one.pk in counting]


def _between(
    reads: list[Read], rule: Mapping[str, Any], baseline: Read | None, later: Read
) -> tuple[Read, ...]:
    """The same reader's reads of the scans that a course by RECIST has before a later one.

    Of an adjudicator those that count, as the baseline.
    """
    if rule["criterion"] != recist.CRITERION or baseline is None:
        return ()
    start, end = scan_of(baseline).planned_at, scan_of(later).planned_at
    between = [
        one
        for one in reads
        if scan_of(one).planned_scan.identifier in rule["follow_ups"]
        and start < scan_of(one).planned_at < end
    ]
    if later.is_adjudication:
        return tuple(_counting(between))
    return tuple(one for one in between if one.reader_id == later.reader_id)


def _unread(
    between: Iterable[Read], rule: Mapping[str, Any], baseline: Read | None, later: Read
) -> tuple[ScheduledScan, ...]:
    """The scans that a course by RECIST lacks: none was signed there, and the lowest sum may be."""
    if rule["criterion"] != recist.CRITERION or baseline is None:
        return ()
    scans = (
        ScheduledScan.objects.filter(
            patient=scan_of(later).patient,
            planned_scan__identifier__in=rule["follow_ups"],
            planned_at__gt=scan_of(baseline).planned_at,
            planned_at__lt=scan_of(later).planned_at,
        )
        .exclude(state=ScheduledScan.State.CANCELLED)
        .exclude(pk__in=[scan_of(one).pk for one in between])
        .select_related("planned_scan", "patient__site")
        .order_by("planned_at", "pk")
    )
    return tuple(scans)


def inputs_of(due: Due) -> dict[str, Any]:
    """All that the scale looks at, as plain JSON."""
    if due.rule["criterion"] == recist.CRITERION and due.baseline:
        return _course(due.baseline, due)
    is_qpet = due.rule["criterion"] == "qpet"
    return {
        "rule": dict(due.rule),
        "tracer": scan_of(due.later).planned_scan.tracer.name,
        "baseline": _side(due.baseline) if due.baseline else None,
        "later": _side(due.later) | ({"qpet": _qpet_peak(due.later)} if is_qpet else {}),
        "pair": _pair(due) if due.rule["criterion"] == "eortc" else None,
    }


def _course(baseline: Read, due: Due) -> dict[str, Any]:
    """What RECIST looks at: lesions on CT of each scan, and the days after the baseline."""
    start = _date(scan_of(baseline))

    def side(read: Read) -> dict[str, Any]:
        return {
            "scan": scan_of(read).pk,
            "read": read.pk,
            "day": (_date(scan_of(read)) - start).days,
            "recist": recist_lesions.frozen(read),
            "answers": response_answers.of(read),
        }

    return {
        "rule": dict(due.rule),
        "tracer": scan_of(due.later).planned_scan.tracer.name,
        "baseline": side(baseline),
        "earlier": [side(one) for one in due.earlier],
        "unread": [one.planned_scan.identifier for one in due.unread],
        "unread_days": [(_date(one) - start).days for one in due.unread],
        "later": side(due.later),
    }


def _date(scan: ScheduledScan) -> date:
    """The day of the site: days between scans are dates apart, whatever the hour."""
    return scan.planned_at.astimezone(ZoneInfo(scan.patient.site.time_zone)).date()


def _side(read: Read) -> dict[str, Any]:
    run = read.quantification
    scan = scan_of(read)
    injection = Injection.objects.filter(scheduled_scan=scan).select_related("scanner").first()
    height, origin = _height(run, injection, scan.patient)
    return {
        "scan": scan.pk,
        "read": read.pk,
        "run": run.run,
        "input_sha256": run.input_sha256,
        "uptake_minutes": run.uptake_minutes,
        "scanner": _scanner(run, injection),
        "peak_definition": peak_of(run.parameters).value,
        # Only where there is one: what was frozen before it was told stays as it was.
        **({"peak_note": run.peak_note} if run.peak_note else {}),
        **_activity(run, injection),
        "glucose": _glucose(scan),
        "weight_kg": run.derivation.get("weight"),
        "height_cm": height,
        "height_from": origin,
        "sex": scan.patient.sex_at_birth,
        "liver": _region(read, ReferenceRegion.Kind.LIVER),
        "blood_pool": _region(read, ReferenceRegion.Kind.BLOOD_POOL),
        "lesions": [_lesion(row) for row in selecting.lesions_of(read)],
        "answers": response_answers.of(read),
    }


def _lesion(row: LesionRead) -> dict[str, Any]:
    measured = row.measured
    return {
        "number": row.number,
        "region": row.region,
        "table": measured._meta.db_table,
        "pk": measured.pk,
        "suvmax": measured.suvmax,
        "suvmean": measured.suvmean,
        "suvpeak": measured.suvpeak,
        "suvpeak_definition": measured.suvpeak_definition,
        "volume_ml": measured.volume_ml,
    }


def _region(read: Read, kind: str) -> dict[str, Any] | None:
    """A reference region as its reader stands for it; what is only proposed is none."""
    region = regions.stood_for_by(read, kind)
    if region is None:
        return None
    return {
        "pk": region.pk,
        "suvmean": region.suvmean,
        "suv_sd": region.suv_sd,
        "radius_mm": region.radius_mm,
    }


def _height(
    run: Quantification, injection: Injection | None, patient: Patient
) -> tuple[float | None, str]:
    """Height in cm and where it is from: the day of the scan, else the record, else the header."""
    if injection and injection.height_cm:
        return injection.height_cm, "recorded on the day of the scan"
    fact = (
        patient.evidence.filter(variable="height", superseded_by=None, is_void=False)
        .order_by("pk")
        .last()
    )
    # Asked and not known, or said no more by the form that told it.
    if fact and isinstance(fact.value, int | float):
        return float(fact.value), "recorded for the patient"
    said = [one["value"] for one in run.derivation["inputs"] if one["name"] == "Patient's Size"]
    if said and said[0]:
        return float(said[0]) * 100.0, "header of the images"
    return None, ""


def _activity(run: Quantification, injection: Injection | None) -> dict[str, Any]:
    """What was injected in MBq, and where it is from: the day of the scan, else the header."""
    if injection:
        return {
            "activity_mbq": injection.net_activity_mbq,
            "activity_from": "recorded on the day of the scan",
        }
    said = run.derivation.get("injected_activity")
    return {
        "activity_mbq": said / BQ_PER_MBQ if said else None,
        "activity_from": "header of the images" if said else "",
    }


def _glucose(scan: ScheduledScan) -> dict[str, Any] | None:
    """Plasma glucose recorded for a scan in mg/dL, with the sign of a bound, and as entered."""
    fact = scan.evidence.filter(variable="glucose", superseded_by=None).order_by("pk").last()
    # Asked, and not known.
    if fact is None or fact.value is None:
        return None
    sign, number = variables.signed(fact.value)
    return {
        "sign": sign,
        "mg_dl": variables.converted("glucose", number, frm=fact.unit, to="mg/dL"),
        "entered": variables.shown("glucose", fact.value, fact.unit),
    }


def _scanner(run: Quantification, injection: Injection | None) -> str:
    """Scanner and reconstruction; empty where the scanner is not recorded.

    A header's manufacturer alone does not tell two scanners apart.
    """
    if injection is None or injection.scanner is None:
        return ""
    instance = run.series.instances.first()
    method = instance and volumes.header_of(instance, "PT").reconstruction_method
    return f"{injection.scanner}, {method or 'reconstruction not stated'}"


def _qpet_peak(read: Read) -> dict[str, Any]:
    """SUVpeak of qPET of the hottest lesion, measured on its voxels; or why there is none."""
    rows = selecting.lesions_of(read)
    if not rows:
        return {"peak": None, "why": "no lesion is left to be compared with the liver"}
    hottest = _hottest(rows)
    try:
        opened = open_volumes.of_run(read.quantification)
        peak = qpet.qpet_peak(opened.suv, comparisons.voxels_of(hottest, opened))
    except (Refused, qpet.QpetError) as error:
        return {"peak": None, "why": str(error).rstrip(".")}
    return {"peak": peak, "lesion": hottest.number}


def _pair(due: Due) -> dict[str, Any] | None:
    """The hottest lesion of the baseline and what it is in the later scan, as a reader signed it.

    Of a lesion that split, the hottest part. None without a signed comparison of the two reads.
    """
    comparison = (
        selecting.standing(LesionComparison.objects.all())
        .filter(first=due.baseline, second=due.later)
        .first()
    )
    before = selecting.lesions_of(due.baseline)
    if comparison is None or not before:
        return None
    hottest = _hottest(before)
    for pair in selecting.pairs_of(comparison):
        if hottest.number in _numbers(pair.first, pair.first_parts):
            numbers = _numbers(pair.second, pair.second_parts)
            parts = [row for row in selecting.lesions_of(due.later) if row.number in numbers]
            return {
                "baseline": hottest.number,
                "later": _hottest(parts).number if parts else None,
                "outcome": pair.outcome,
                "comparison": comparison.pk,
            }
    return None


def _hottest(rows: list[LesionRead]) -> LesionRead:
    return max(rows, key=lambda row: (row.measured.suvmax, -row.number))


def _numbers(named: LesionRead | None, parts: list[int]) -> set[int]:
    """The lesions of one side of a pair: a lesion may have split, or several merged."""
    return {*([named.number] if named else []), *parts}


def _keep(due: Due, inputs: Mapping[str, Any], began: datetime) -> bool:
    """A new evaluation, unless the same one stands. Inside the action of the job.

    Given is whether readers are compared by another category now than by the one that stood.
    """
    later = due.later
    reads = [one for one in (due.baseline, *due.earlier, later) if one]
    if not all(selecting.stands(one) for one in reads):
        # Ended meanwhile: whatever ended it orders the next.
        return False
    digest = canonical.sha256(inputs)
    earlier = (
        ResponseEvaluation.objects.filter(
            **{f"later_read__{SCAN}": scan_of(due.later)},
            rule=due.rule["identifier"],
            reader=later.reader,
            superseded_by=None,
        )
        .order_by("pk")
        .last()
    )
    replaced = earlier if earlier and earlier.is_current else None
    if replaced:
        if (replaced.inputs_sha256, replaced.software_version) == (digest, VERSION):
            return False
        ResponseEvaluation.objects.filter(pk=replaced.pk).update(is_current=False)
    response = judging.judged(inputs)
    ResponseEvaluation.objects.create(
        version=due.version,
        rule=due.rule["identifier"],
        criterion=due.rule["criterion"],
        reader=later.reader,
        baseline_read=due.baseline,
        later_read=later,
        category=response.category,
        best=response.best or "",
        why=response.why,
        numbers=[asdict(one) for one in response.numbers],
        flags=list(response.flags),
        source=response.source,
        inputs=dict(inputs),
        inputs_sha256=digest,
        software_version=VERSION,
        evaluated_at=began,
        supersedes=earlier,
    )
    # An adjudicator's read is held against no other.
    if replaced is None or later.is_adjudication:
        return False
    return replaced.category != response.category


def scan_of(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan
