"""Assembly: from released files to series with a geometry, held against the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from imaging import conformance, geometry, suv
from imaging.headers import PetHeader, SliceHeader
from imaging.models import Series, Transmittal
from imaging.selectors import series_of, volumes
from imaging.services import intake
from trials.models import Injection, ScheduledScan
from trials.services import audit, deviations, jobs, queries

BQ_PER_MBQ = 1e6


def build(claim: jobs.Claim) -> None:
    """Give each released series its geometry, or the reason why it has none."""
    transmittal = intake.load(claim)
    if transmittal.state != Transmittal.State.RELEASED:
        intake.nothing_to_do(claim)
        return
    series = list(series_of(transmittal).prefetch_related("instances"))
    headers = {one.pk: volumes.headers_of(one) for one in series}
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.assembled",
            actor=jobs.system_user(),
            reason="geometry and conformance",
            **intake.about(transmittal),
        ),
    ):
        for one in series:
            _assemble(one, headers[one.pk])
        _finish(transmittal, series, headers, claim)


def _assemble(series: Series, headers: Sequence[SliceHeader]) -> None:
    try:
        stack = geometry.stack_from_headers(headers)
    except geometry.GeometryError as error:
        series.state, series.code, series.message = Series.State.REFUSED, error.code, str(error)
        # What was measured before later images came is no measurement of this series.
        series.quantifications.filter(is_current=True).update(is_current=False)
        queries.raise_by_rule(
            series, rule=error.code, text=f"{series.modality} series not usable: {error}"
        )
    else:
        series.state = Series.State.ASSEMBLED
        series.assembly = stack.grid.to_json()
    series.save(update_fields=["state", "code", "message", "assembly"])


def _finish(
    transmittal: Transmittal,
    series: list[Series],
    headers: dict[int, list[SliceHeader]],
    claim: jobs.Claim,
) -> None:
    assembled = [one for one in series if one.state == Series.State.ASSEMBLED]
    pet = [one for one in assembled if one.modality == "PT"]
    intake.move(transmittal, Transmittal.State.ASSEMBLED, message=_without(pet, series))
    scan = ScheduledScan.objects.select_for_update().get(pk=transmittal.scheduled_scan_id)
    if pet or not _is_measured(scan):
        scan.state = ScheduledScan.State.IMAGES_RECEIVED
        scan.save(update_fields=["state"])
    has_ct = _has_ct(transmittal, assembled)
    for one in pet:
        _compare(transmittal.scheduled_scan, headers[one.pk], has_ct=has_ct)
        jobs.enqueue("imaging.quantify", actor=claim.actor, series=one.pk)


def _without(pet: list[Series], series: list[Series]) -> str:
    """Why there is nothing to measure; empty if there is something."""
    if pet:
        return ""
    if any(one.modality == "PT" for one in series):
        return "No PET series could be assembled; see the series for the reason."
    return "There is no PET series among these images: nothing to measure."


def _is_measured(scan: ScheduledScan) -> bool:
    measured = Series.State.QUANTIFIED
    return Series.objects.filter(imaging_study__scheduled_scan=scan, state=measured).exists()


def _has_ct(transmittal: Transmittal, assembled: list[Series]) -> bool:
    earlier = Series.objects.filter(
        imaging_study__scheduled_scan=transmittal.scheduled_scan_id,
        modality="CT",
        state=Series.State.ASSEMBLED,
    )
    return any(one.modality == "CT" for one in assembled) or earlier.exists()


def _compare(scan: ScheduledScan, headers: Sequence[PetHeader], *, has_ct: bool) -> None:
    """Raise what deviates. Inside the action that assembled the series."""
    if not any("ATTN" in header.corrected_image for header in headers):
        return
    recorded = recorded_injection(scan)
    seen = observed(scan, headers, has_ct=has_ct)
    for finding in conformance.findings(planned(scan), seen, recorded):
        if finding.kind == conformance.Kind.QUERY:
            queries.raise_by_rule(scan, rule=finding.rule, text=finding.text)
        else:
            deviations.draft_by_rule(
                scan, rule=finding.rule, text=finding.text, values=finding.values
            )


def planned(scan: ScheduledScan) -> conformance.Planned:
    plan, tracer = scan.planned_scan, scan.planned_scan.tracer
    zone = ZoneInfo(scan.patient.site.time_zone)
    return conformance.Planned(
        radionuclide=tracer.radionuclide,
        uptake_low_minutes=plan.uptake_low_minutes,
        uptake_high_minutes=plan.uptake_high_minutes,
        activity_low_mbq=tracer.activity_low_mbq,
        activity_high_mbq=tracer.activity_high_mbq,
        requires_ct=plan.requires_ct,
        scan_date=scan.planned_at.astimezone(zone).date(),
    )


def recorded_injection(scan: ScheduledScan) -> conformance.Recorded | None:
    injection = Injection.objects.filter(scheduled_scan=scan).first()
    if injection is None:
        return None
    return conformance.Recorded(
        injected_at=injection.injected_at,
        net_activity_mbq=injection.net_activity_mbq,
        weight_kg=injection.weight_kg,
    )


def observed(
    scan: ScheduledScan, headers: Sequence[PetHeader], *, has_ct: bool
) -> conformance.Observed:
    """What the headers say, on the real calendar and with the site's zone."""
    first = headers[0]
    pharmaceutical = first.radiopharmaceuticals[0] if first.radiopharmaceuticals else None
    dose = pharmaceutical.total_dose if pharmaceutical else None
    try:
        injected = suv.suvbw_scale(headers).injection
    except suv.SuvRefused:
        injected = None
    return conformance.Observed(
        nuclide=pharmaceutical.nuclide if pharmaceutical else None,
        injected_at=_real(injected, scan),
        injected_activity_mbq=dose / BQ_PER_MBQ if dose else None,
        weight_kg=first.patient_weight,
        first_bed_at=_real(first_bed(headers), scan),
        has_ct=has_ct,
        slices=len(headers),
        slices_announced=geometry.announced_slices(headers),
    )


def first_bed(headers: Sequence[PetHeader]) -> datetime | None:
    """Start of the first bed by the clock of the headers."""
    starts = [
        datetime.combine(header.acquisition_date, header.acquisition_time)
        for header in headers
        if header.acquisition_date and header.acquisition_time
    ]
    return min(starts, default=None)


def _real(moment: datetime | None, scan: ScheduledScan) -> datetime | None:
    """A moment of the de-identified headers on the real calendar, in the site's zone."""
    if moment is None:
        return None
    patient = scan.patient
    real = moment - timedelta(days=patient.date_shift_days)
    return real.replace(tzinfo=ZoneInfo(patient.site.time_zone))
