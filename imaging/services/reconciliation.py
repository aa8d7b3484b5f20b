"""Header against record against protocol: found for each series, told once for each scan.

What was found is kept with the series. A question closes itself when either side is
corrected, and a draft nobody has seen is withdrawn; a person may let a finding pass, with a
reason: it stays a finding, and a deviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef
from django.utils import timezone

from imaging import administration, conformance, ct_dose, geometry, suv, suv_checks
from imaging.completeness import missing_slices
from imaging.counting import Candidate
from imaging.headers import PetHeader, SliceHeader
from imaging.models import ConformanceFinding, Quantification, Series
from imaging.selectors import ct_doses, volumes
from imaging.services import counting
from imaging.suv_terms import Recorded
from trials import permissions
from trials.conformance_rules import RULES, Severity
from trials.models import ClockReading, Injection, Job, PlannedScan, ScheduledScan, User
from trials.services import audit, deviations, header_statements, jobs, queries, scanners
from trials.services.errors import Refused

BQ_PER_MBQ = 1e6
MEASURE = "imaging.quantify"
State = Series.State
SETTLED = "The images, the record or the protocol were corrected: they agree now."


def reconcile(scan: ScheduledScan, *, by: User | None = None) -> None:
    """Judge every PET series of a scan anew. Inside the action that changed one side.

    What is to be measured because of it is ordered by whom did it; by the system if nobody.
    """
    # One at a time: what a scan is asked and told is found out from its series together.
    ScheduledScan.objects.select_for_update(no_key=True).get(pk=scan.pk)
    found: dict[str, conformance.Finding] = {}
    asks: dict[str, conformance.Finding] = {}
    passed: dict[str, ConformanceFinding] = {}
    plan, recorded = planned(scan, scan.planned_scan), recorded_injection(scan)
    doses = _tell_dose(scan)
    every = _every(scan)
    is_any_corrected = any(seen.is_attenuation_corrected for _, seen in every)
    is_first = True
    for series, seen in every:
        # Beside a corrected series the uncorrected one is held to nothing.
        if is_any_corrected and not seen.is_attenuation_corrected:
            _keep(series, scan, ())
            continue
        if is_first:
            _tell_stated(series, scan, seen)
            is_first = False
        of_series = conformance.findings(plan, seen, recorded, doses)
        let_pass = _keep(series, scan, of_series)
        passed = let_pass | passed
        for one in of_series:
            found.setdefault(one.rule, one)
            if one.rule not in let_pass:
                asks.setdefault(one.rule, one)
    if is_first:
        header_statements.take_back(scan)
    # Of most rules nothing is found and nothing stands: two looks for all, not two for each.
    asking, drafted = queries.rules_asking(scan), deviations.rules_of(scan)
    for rule in RULES:
        if rule in asks or rule in asking:
            _ask(scan, rule, asks.get(rule), passed.get(rule))
        if rule in found or rule in drafted:
            _draft(scan, rule, found.get(rule))
    counting.settle(scan, [_candidate(*pair, recorded) for pair in every], plan)
    _order_measurements(scan, by=by)


def candidates(scan: ScheduledScan) -> list[Candidate]:
    """The PET series of a scan that have a geometry, as the rule of what counts looks at them."""
    recorded = recorded_injection(scan)
    return [_candidate(series, seen, recorded) for series, seen in _every(scan)]


def _every(scan: ScheduledScan) -> list[tuple[Series, conformance.Observed]]:
    return [(series, observed(scan, volumes.headers_of(series))) for series in _series(scan)]


def _candidate(
    series: Series, seen: conformance.Observed, recorded: conformance.Recorded | None
) -> Candidate:
    return Candidate(
        key=series.pk,
        name=series.reading_identifier,
        is_attenuation_corrected=seen.is_attenuation_corrected,
        reconstruction=seen.reconstruction,
        uptake_minutes=conformance.uptake_minutes(seen, recorded),
    )


def is_attenuation_corrected(headers: Sequence[PetHeader]) -> bool:
    return all(map(suv_checks.is_attenuation_corrected, headers))


def findings_of(
    scan: ScheduledScan, headers: Sequence[PetHeader], *, plan: PlannedScan
) -> tuple[conformance.Finding, ...]:
    """What a series does not keep of a planned scan, which may be of another version."""
    return conformance.findings(
        planned(scan, plan), observed(scan, headers), recorded_injection(scan), _doses(scan)
    )


def blocking(series: Series) -> list[ConformanceFinding]:
    """The findings that keep a series from being measured."""
    return [one for one in series.findings.filter(is_current=True) if one.blocks]


def override(finding: ConformanceFinding, *, reason: str, by: User) -> ConformanceFinding:
    """Let a finding pass, with a reason; what it blocked is measured, what it asked is settled."""
    permissions.require(by, "images.decide", finding)
    audit.require_reason(reason)
    scan = finding.series.imaging_study.scheduled_scan
    with audit.action(
        "finding.overridden",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        locked = ConformanceFinding.objects.select_for_update(of=("self",)).get(pk=finding.pk)
        if not locked.is_current:
            raise Refused("superseded", "This finding was superseded: look at the newest one.")
        if locked.overridden_by_id:
            raise Refused("overridden-already", "This finding was let pass already.")
        locked.override_reason, locked.overridden_by = reason.strip(), by
        locked.overridden_at = timezone.now()
        locked.save(update_fields=["override_reason", "overridden_by", "overridden_at"])
        reconcile(scan, by=by)
    return locked


def _series(scan: ScheduledScan) -> Iterable[Series]:
    of_scan = Series.objects.filter(imaging_study__scheduled_scan=scan, modality="PT")
    rows = volumes.with_instances(of_scan)
    # A series refused by a rule of the measurement still is what it is.
    return rows.exclude(assembly={}).exclude(code__in=Series.GONE).order_by("pk")


def _keep(
    series: Series, scan: ScheduledScan, found: Iterable[conformance.Finding]
) -> dict[str, ConformanceFinding]:
    """Keep what was found with the series; what a person let pass of it, by rule."""
    plan = planned(scan, scan.planned_scan)
    current = {one.rule: one for one in series.findings.filter(is_current=True)}
    passed = {}
    for one in found:
        row, severity = current.pop(one.rule, None), plan.severity(one.rule)
        same = row and (row.text, row.values, row.severity) == (one.text, one.values, severity)
        if row and same:
            passed |= {one.rule: row} if row.overridden_by_id else {}
            continue
        if row:
            row.is_current = False
            row.save(update_fields=["is_current"])
        ConformanceFinding.objects.create(
            series=series,
            rule=one.rule,
            severity=severity,
            text=one.text,
            values=one.values,
            population=one.population,
        )
    for row in current.values():
        row.is_current = False
        row.save(update_fields=["is_current"])
    return passed


def _order_measurements(scan: ScheduledScan, *, by: User | None) -> None:
    """Have measured what nothing blocks any more, and what was measured and is blocked now.

    A job that has not ended looks at the findings itself, the last time when it holds the scan.
    """
    found = ConformanceFinding.objects.filter(
        series=OuterRef("series"),
        is_current=True,
        severity=Severity.BLOCKING,
        overridden_by=None,
    )
    runs = (
        Quantification.objects.filter(
            series__imaging_study__scheduled_scan=scan,
            series__state__in=(State.QUANTIFIED, State.REFUSED),
            is_current=True,
        )
        # Of one that images broke nothing can be measured.
        .exclude(series__assembly={})
        .exclude(series__code__in=Series.GONE)
        .annotate(is_blocked=Exists(found))
        .order_by("series")
    )
    for series, code, is_blocked in runs.values_list("series", "code", "is_blocked"):
        if (code == conformance.BLOCKED) != is_blocked and not _is_under_way(series):
            jobs.enqueue(MEASURE, actor=by or jobs.system_user(), on=scan, series=series)


def _is_under_way(series: int) -> bool:
    left = Job.objects.filter(kind=MEASURE, state__in=(Job.State.QUEUED, Job.State.RUNNING))
    return left.filter(arguments__series=series).exists()


def _ask(
    scan: ScheduledScan,
    rule: str,
    found: conformance.Finding | None,
    passed: ConformanceFinding | None,
) -> None:
    """Ask about what was found; settle what no longer is, or what a person let pass."""
    if found and found.kind.asks:
        queries.raise_by_rule(scan, rule=rule, text=found.text)
    elif passed:
        text = f"Let pass by {passed.overridden_by}: {passed.override_reason}"
        queries.settle_by_rule(scan, rule=rule, text=text)
    else:
        queries.settle_by_rule(scan, rule=rule, text=SETTLED)


def _draft(scan: ScheduledScan, rule: str, found: conformance.Finding | None) -> None:
    """Draft what deviates. Letting it pass lets it be measured; the scan deviates all the same."""
    deviates = found is not None and found.kind.deviates
    finding = (found.text, found.values | _proposed(found)) if found and deviates else None
    deviations.judge_by_rule(scan, rule=rule, finding=finding)


def _tell_stated(series: Series, scan: ScheduledScan, seen: conformance.Observed) -> None:
    """Tell the trial what the headers state, for its forms and its pages."""
    manufacturer, model, _ = seen.scanner or ("", "", "")
    header_statements.tell(
        scan,
        seen.stated,
        manufacturer=manufacturer,
        model=model,
        source=f"PET series {series.pk}, {len(series.instances.all())} images",
    )


def _tell_dose(scan: ScheduledScan) -> conformance.Doses | None:
    """Tell the trial the dose of the CT as what arrived has it; both sides, where there are two."""
    recorded, newest = header_statements.recorded_dlp(scan)
    told, kept = _told_dose(scan)
    # Of a scan without a CT nothing is said, unless something was before.
    if told or kept["code"] != ct_dose.NOTHING or header_statements.is_told(scan):
        source = "CT images or dose report of the scan"
        header_statements.tell_ct_dose(scan, kept, compared_evidence=newest, source=source)
    return conformance.Doses(told, recorded) if told and recorded is not None else None


def _doses(scan: ScheduledScan) -> conformance.Doses | None:
    """As `_tell_dose`, telling nobody."""
    recorded, (told, _) = header_statements.recorded_dlp(scan)[0], _told_dose(scan)
    return conformance.Doses(told, recorded) if told and recorded is not None else None


def _told_dose(scan: ScheduledScan) -> tuple[ct_dose.Told | None, dict[str, Any]]:
    """What arrived tells, and as it is kept: with a code and a sentence where nothing does."""
    try:
        told = ct_doses.told_of(scan)
    except ct_dose.DoseError as error:
        return None, {"code": error.code, "message": error.message}
    return told, ct_dose.as_json(told)


def _proposed(found: conformance.Finding) -> dict:
    return {"population": found.population} if found.population else {}


# ------------------------------------------------------------------------ facts in one shape


def planned(scan: ScheduledScan, plan: PlannedScan) -> conformance.Planned:
    """What a planned scan states, as the rules look at it."""
    tracer, stated = plan.tracer, plan.conformance
    zone = ZoneInfo(scan.patient.site.time_zone)
    return conformance.Planned(
        radionuclide=tracer.radionuclide,
        uptake_low_minutes=plan.uptake_low_minutes,
        uptake_high_minutes=plan.uptake_high_minutes,
        activity_low_mbq=tracer.activity_low_mbq,
        activity_high_mbq=tracer.activity_high_mbq,
        requires_ct=plan.requires_ct,
        scan_date=scan.planned_at.astimezone(zone).date(),
        tolerances=plan.tolerances,
        coverage_low_mm=stated.get("coverage_mm", {}).get("low"),
        voxel_low_mm=stated.get("voxel_mm", {}).get("low"),
        voxel_high_mm=stated.get("voxel_mm", {}).get("high"),
        reconstructions=tuple(stated.get("reconstructions", ())),
        severities=stated.get("severities", {}),
    )


def recorded_injection(scan: ScheduledScan) -> conformance.Recorded | None:
    """What the site recorded, as the rules look at it."""
    injection = _injection(scan)
    if injection is None:
        return None
    scanner = injection.scanner
    return conformance.Recorded(
        injected_at=injection.injected_at,
        net_activity_mbq=injection.net_activity_mbq,
        is_residual_known=injection.residual_activity_mbq is not None,
        gross_activity_mbq=injection.gross_activity_mbq,
        weight_kg=injection.weight_kg,
        height_cm=injection.height_cm,
        half_life_s=injection.half_life_s,
        scanner=(scanner.manufacturer, scanner.model, "") if scanner else None,
    )


def recorded_for_suv(scan: ScheduledScan, *, is_dated: bool = True) -> Recorded | None:
    """The record of the injection on the clock of the series, for the SUV to rest on.

    `is_dated` unless the images were de-identified before they came.
    """
    injection = _injection(scan)
    if injection is None:
        return None
    zone = ZoneInfo(scan.patient.site.time_zone)
    local = injection.injected_at.astimezone(zone).replace(tzinfo=None)
    return Recorded(
        weight=injection.weight_kg,
        activity=injection.net_activity_mbq * BQ_PER_MBQ,
        injected_at=local
        + timedelta(days=scan.patient.date_shift_days, seconds=scanner_ahead(scan) or 0.0),
        reference=f"injection {injection.pk}, version {injection.version}",
        is_dated=is_dated,
    )


def doubts_about_record(scan: ScheduledScan) -> tuple[str, ...]:
    """What of the record is less than known, where a number rests on it, as flags."""
    injection = _injection(scan)
    unmeasured = injection is not None and injection.residual_activity_mbq is None
    return ("residual-not-measured",) if unmeasured else ()


def cross_calibration(scan: ScheduledScan) -> dict | None:
    """The cross-calibration of the scanner on the day, valid or not; None without a scanner."""
    injection = _injection(scan)
    if injection is None or injection.scanner is None:
        return None
    on = injection.injected_at.astimezone(ZoneInfo(scan.patient.site.time_zone)).date()
    check, is_valid = scanners.cross_calibration(injection.scanner, on=on)
    return {
        "scanner": str(injection.scanner),
        "factor": check.factor if check else None,
        "valid_from": check.valid_from.isoformat() if check else None,
        "valid_until": check.valid_until.isoformat() if check else None,
        "reference": check.reference if check else "",
        "is_valid": is_valid,
    }


def record_version(scan: ScheduledScan) -> int:
    """The version of the recorded injection; 0 where there is none."""
    injection = _injection(scan)
    return injection.version if injection else 0


def scanner_ahead(scan: ScheduledScan) -> float | None:
    """Seconds that the scanner's clock was ahead at the injection; None is not checked."""
    injection = _injection(scan)
    if injection is None or injection.scanner is None:
        return None
    reading = scanners.clock_ahead(
        scan.patient.site,
        instrument=ClockReading.Instrument.SCANNER,
        scanner=injection.scanner,
        at=injection.injected_at,
    )
    return reading.ahead_s if reading else None


def observed(scan: ScheduledScan, headers: Sequence[PetHeader]) -> conformance.Observed:
    """What the headers say, on the real calendar and with the site's zone."""
    first = headers[0]
    item = first.radiopharmaceuticals[0] if first.radiopharmaceuticals else None
    dose = item.total_dose if item else None
    ct = _ct_of(scan)
    frames = {one.frame_of_reference_uid for one in ct} - {""}
    return conformance.Observed(
        nuclide=item.nuclide if item else None,
        injected_at=_real(_injected_at(headers), scan),
        injected_activity_mbq=dose / BQ_PER_MBQ if dose else None,
        weight_kg=first.patient_weight,
        first_bed_at=_real(first_bed(headers), scan),
        has_ct=bool(ct),
        slices=len(headers),
        slices_announced=geometry.announced_slices(headers),
        height_cm=first.patient_size * 100 if first.patient_size else None,
        half_life_s=item.half_life if item else None,
        ct_at=_real(first_bed(ct), scan),
        ct_shares_frame=first.frame_of_reference_uid in frames
        if frames and first.frame_of_reference_uid
        else None,
        missing=missing_slices(headers),
        reconstruction=first.reconstruction_method,
        is_attenuation_corrected=is_attenuation_corrected(headers),
        scanner=(first.manufacturer, first.model, ""),
        **_extent(headers),
    )


def _injected_at(headers: Sequence[PetHeader]) -> datetime | None:
    """The injection by the clock of the headers: as the SUV has it, else beside the first bed.

    Values that are SUV already need none, and a weight that is missing leaves none to be computed.
    """
    verdict = suv.assess(headers)
    scale = verdict.scale or verdict.candidate
    if scale and scale.injection:
        return scale.injection
    start = first_bed(headers)
    return administration.injection_of(headers[0], start) if start else None


def first_bed(headers: Sequence[SliceHeader]) -> datetime | None:
    """Start of the first bed by the clock of the headers."""
    starts = [
        datetime.combine(header.acquisition_date, header.acquisition_time)
        for header in headers
        if header.acquisition_date and header.acquisition_time
    ]
    return min(starts, default=None)


def _injection(scan: ScheduledScan) -> Injection | None:
    rows = Injection.objects.filter(scheduled_scan=scan).select_related("scanner")
    return rows.first()


def _ct_of(scan: ScheduledScan) -> list[SliceHeader]:
    """The header of one image of each CT series that is one volume."""
    rows = Series.objects.filter(imaging_study__scheduled_scan=scan, modality="CT")
    heads = [(one, one.instances.first()) for one in rows.filter(state=State.ASSEMBLED)]
    return [volumes.header_of(head, one.modality) for one, head in heads if head]


def _extent(headers: Sequence[PetHeader]) -> dict:
    try:
        grid = geometry.stack_from_headers(headers).grid
    except geometry.GeometryError:
        return {}
    return {"voxel_mm": grid.spacing, "coverage_mm": grid.spacing[0] * grid.shape[0]}


def _real(moment: datetime | None, scan: ScheduledScan) -> datetime | None:
    """A moment of the de-identified headers on the real calendar, in the site's zone.

    The scanner's clock is set right by what it was ahead of the reference clock.
    """
    if moment is None:
        return None
    ahead = timedelta(seconds=scanner_ahead(scan) or 0.0)
    real = moment - timedelta(days=scan.patient.date_shift_days) - ahead
    return real.replace(tzinfo=ZoneInfo(scan.patient.site.time_zone))
