"""Assembly: from released files to series with a geometry, held against the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from imaging import geometry
from imaging.headers import SliceHeader
from imaging.models import Series, Transmittal
from imaging.selectors import series_of, volumes
from imaging.services import ledger, reconciliation
from trials.models import ScheduledScan
from trials.services import audit, jobs, queries
from trials.services.fault_points import reach


def build(claim: jobs.Claim) -> None:
    """Give each released series its geometry, or the reason why it has none."""
    transmittal = ledger.load(claim)
    if transmittal.state != Transmittal.State.RELEASED:
        ledger.nothing_to_do(claim)
        return
    series = list(series_of(transmittal).prefetch_related("instances"))
    headers = {one.pk: volumes.headers_of(one) for one in series}
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.assembled",
            actor=jobs.system_user(),
            reason="geometry and conformance",
            **ledger.about(transmittal),
        ),
    ):
        for one in series:
            _assemble(one, headers[one.pk])
        _finish(transmittal, series, claim)
        reach("assemble.before-commit")
    reach("assemble.committed")


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
    claim: jobs.Claim,
) -> None:
    assembled = [one for one in series if one.state == Series.State.ASSEMBLED]
    pet = [one for one in assembled if one.modality == "PT"]
    ledger.move(transmittal, Transmittal.State.ASSEMBLED, message=_without(pet, series))
    scan = ScheduledScan.objects.select_for_update().get(pk=transmittal.scheduled_scan_id)
    if pet or not _is_measured(scan):
        scan.state = ScheduledScan.State.IMAGES_RECEIVED
        scan.save(update_fields=["state"])
    if pet:
        reconciliation.reconcile(transmittal.scheduled_scan)
    for one in pet:
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
