"""The dose of a scan's CT as its released images and dose reports tell it."""

from __future__ import annotations

from django.db.models.fields.json import KT, KeyTransform

from imaging import ct_dose
from imaging.ct_dose import Report, Slice, Told
from imaging.models import Instance, Series
from trials.models import ScheduledScan


def told_of(scan: ScheduledScan) -> Told:
    """The dose-length product that arrived tells, a report before an estimate; two queries.

    Raises
    ------
    DoseError
        As `ct_dose.told` and `ct_dose.estimated`.
    """
    rows = Instance.objects.filter(series__imaging_study__scheduled_scan=scan).exclude(
        series__code__in=Series.GONE
    )
    reports = {
        uid: Report(float(header["dlp_mgy_cm"]), header["region"])
        for uid, header in rows.filter(series__modality="SR").values_list(
            "sop_instance_uid", "header"
        )
    }
    return ct_dose.told(reports, {} if reports else _estimates(rows))


def _estimates(rows) -> dict[str, list[tuple[str, Told]]]:
    """Of each CT series that is one volume its irradiation events, each with its estimate.

    Of the headers, hundreds of them, only what is needed is brought.
    """
    found: dict[int, dict[str, list[tuple[Slice, str]]]] = {}
    images = rows.filter(series__modality="CT", series__state=Series.State.ASSEMBLED)
    for series, event, phantom, *facts in images.order_by("series", "pk").values_list(
        "series",
        KT("header__irradiation_event"),
        KT("header__ctdi_phantom"),
        KeyTransform("ctdi_vol", "header"),
        KeyTransform("position", "header"),
        KeyTransform("orientation", "header"),
    ):
        ctdi, position, orientation = facts
        one = Slice(ctdi, position and tuple(position), orientation and tuple(orientation))
        found.setdefault(series, {}).setdefault(event or "", []).append((one, phantom or ""))
    return {str(pk): [_estimate(*pair) for pair in of.items()] for pk, of in found.items()}


def _estimate(event: str, images: list[tuple[Slice, str]]) -> tuple[str, Told]:
    phantoms = {phantom for _, phantom in images}
    phantom = phantoms.pop() if len(phantoms) == 1 else ""
    return event, ct_dose.estimated([one for one, _ in images], phantom=phantom)
