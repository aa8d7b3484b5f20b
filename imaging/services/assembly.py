"""Assembly: from released files to series with a geometry, held against the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from imaging import geometry, mixtures
from imaging.headers import SliceHeader
from imaging.models import Series, Transmittal
from imaging.selectors import series_of, volumes
from imaging.services import drawings, ledger, reconciliation
from trials.models import ScheduledScan
from trials.services import audit, jobs, queries
from trials.services.fault_points import reach

PAST = "Other images of the series came, and this no longer stands in the way."
# There is nothing that a site could do about these.
ASKS_NOBODY = frozenset({mixtures.LOCALIZER})


def build(claim: jobs.Claim) -> None:
    """Give each released series its geometry, or the reason why it has none."""
    transmittal = ledger.load(claim)
    if transmittal.state != Transmittal.State.RELEASED:
        ledger.nothing_to_do(claim)
        return
    images = series_of(transmittal).exclude(modality__in=Series.NO_IMAGES)
    series = list(volumes.with_instances(images))
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
        # Before the series, as who judges the scan anew.
        scans = ScheduledScan.objects.select_for_update(no_key=True)
        scan = scans.get(pk=transmittal.scheduled_scan_id)
        series = _kept(series)
        for one in series:
            _assemble(one, headers[one.pk])
        placed = drawings.place(transmittal.scheduled_scan, changed=series, by=claim.actor)
        _finish(transmittal, scan, series, claim)
        for other in _waiting(transmittal, placed):
            ledger.move(other, other.state, message=_about_regions(series_of(other)))
        reach("assemble.before-commit")
    reach("assemble.committed")


def _kept(series: list[Series]) -> list[Series]:
    """Without those whose images went meanwhile; none of the others goes until this ends."""
    locked = Series.objects.select_for_update().filter(pk__in=[one.pk for one in series])
    gone = {one.pk for one in locked.order_by("pk") if one.code in Series.GONE}
    return [one for one in series if one.pk not in gone]


def _assemble(series: Series, headers: Sequence[SliceHeader]) -> None:
    try:
        stack = mixtures.stack_of(headers)
    except geometry.GeometryError as error:
        _refuse(series, error)
    else:
        series.state = Series.State.ASSEMBLED
        series.assembly = stack.grid.to_json()
        if series.modality != "PT":
            # What is asked about a PET series its measurement settles.
            queries.settle_others(series, rule="", text=PAST)
    series.save(update_fields=["state", "code", "message", "assembly"])


def _refuse(series: Series, error: geometry.GeometryError) -> None:
    series.state, series.code, series.message = Series.State.REFUSED, error.code, str(error)
    # What was true before later images came is true of this series no more.
    series.assembly = {}
    series.quantifications.filter(is_current=True).update(is_current=False)
    series.findings.filter(is_current=True).update(is_current=False)
    queries.settle_others(series, rule=error.code, text=PAST)
    if error.code not in ASKS_NOBODY:
        queries.raise_by_rule(
            series, rule=error.code, text=f"{series.modality} series not usable: {error}"
        )


def _finish(
    transmittal: Transmittal,
    scan: ScheduledScan,
    series: list[Series],
    claim: jobs.Claim,
) -> None:
    assembled = [one for one in series if one.state == Series.State.ASSEMBLED]
    pet = [one for one in assembled if one.modality == "PT"]
    message = _without(pet, series) if series else _about_regions(series_of(transmittal))
    ledger.move(transmittal, Transmittal.State.ASSEMBLED, message=message)
    _take_back([one for one in series if one.state == Series.State.REFUSED], transmittal)
    if pet or (series and not _is_measured(scan)):
        scan.state = ScheduledScan.State.IMAGES_RECEIVED
        scan.save(update_fields=["state"])
    reconciliation.reconcile(transmittal.scheduled_scan)
    for one in pet:
        jobs.enqueue("imaging.quantify", actor=claim.actor, on=scan, series=one.pk)


def _take_back(refused: list[Series], transmittal: Transmittal) -> None:
    """An earlier transmittal whose series was measured, until later images broke it."""
    earlier = Transmittal.objects.filter(
        files__instance__series__in=refused, state=Transmittal.State.QUANTIFIED
    ).exclude(pk=transmittal.pk)
    for row in Transmittal.objects.select_for_update().filter(pk__in=earlier.values("pk")):
        series = list(series_of(row))
        if not any(one.state == Series.State.QUANTIFIED for one in series):
            ledger.move(row, Transmittal.State.ASSEMBLED, message=_without([], series))


def _waiting(transmittal: Transmittal, placed: Sequence[Series]) -> QuerySet[Transmittal]:
    """What brought regions alone before, which were looked at again because of this one."""
    return (
        Transmittal.objects.filter(files__instance__series__in=placed)
        .exclude(pk=transmittal.pk)
        .exclude(files__instance__series__modality__in=["PT", "CT"])
        .distinct()
    )


def _about_regions(series: Iterable[Series]) -> str:
    """What became of the regions that came without images."""
    series = list(series)
    if series and all(one.modality in Series.REPORTS for one in series):
        return "Dose report of the CT: what it says stands with the effective dose of the patient."
    refused = [one.message for one in series if one.state == Series.State.REFUSED]
    return refused[0] if refused else "Regions drawn on images of this scan: placed on them."


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
