"""What image headers state of an injection, told by imaging so that nobody types it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import OuterRef, QuerySet

from trials.models import Evidence, HeaderStatement, ScheduledScan
from trials.stated import Stated


def tell(
    scan: ScheduledScan, stated: Stated, *, manufacturer: str, model: str, source: str
) -> HeaderStatement:
    """Keep the newest statement of a scan's images. Inside the action that read them."""
    facts = {
        "injected_at": stated.injected_at,
        "activity_mbq": stated.activity_mbq,
        "weight_kg": stated.weight_kg,
        "height_cm": stated.height_cm,
        "manufacturer": manufacturer[:80],
        "model": model[:80],
        "source": source,
    }
    return _keep(scan, facts)


def take_back(scan: ScheduledScan) -> None:
    """State nothing any more: the images it was read from are gone, or no volume any more.

    Inside the action that found so. The dose of a CT is told, and taken back, by itself.
    """
    row = HeaderStatement.objects.filter(scheduled_scan=scan).first()
    if row and (row.stated != Stated() or row.manufacturer or row.model):
        tell(scan, Stated(), manufacturer="", model="", source="no PET images that stand")


def tell_ct_dose(
    scan: ScheduledScan, dose: Mapping[str, Any], *, compared_evidence: int, source: str
) -> HeaderStatement:
    """Keep what arrived tells of the dose of a scan's CT. Inside the action that read it.

    `compared_evidence` is the newest recorded dose-length product that it was held against.
    """
    facts: dict[str, Any] = {"ct_dose": dict(dose), "compared_evidence": compared_evidence}
    if not is_told(scan):
        facts["source"] = source
    return _keep(scan, facts)


def is_told(scan: ScheduledScan) -> bool:
    """Whether anything was told of a scan's images before."""
    return HeaderStatement.objects.filter(scheduled_scan=scan).exists()


def newest_dose_evidence() -> QuerySet[Evidence]:
    """Of a scan named by the outer query, the newest record of a dose-length product, as `pk`."""
    rows = Evidence.objects.filter(variable="ct_dlp", scheduled_scan=OuterRef("scheduled_scan"))
    return rows.order_by("-pk").values("pk")[:1]


def recorded_dlp(scan: ScheduledScan) -> tuple[float | None, int]:
    """The recorded dose-length products together in mGy cm, and the newest record's number.

    None if nothing is recorded, or a part of it is no number: "<5" can't be compared.
    """
    rows = Evidence.objects.filter(variable="ct_dlp", scheduled_scan=scan)
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    values = list(rows.filter(superseded_by=None, is_void=False).values_list("value", flat=True))
    if not values or not all(isinstance(one, int | float) for one in values):
        return None, newest
    return float(sum(values)), newest


def _keep(scan: ScheduledScan, facts: Mapping[str, Any]) -> HeaderStatement:
    row = HeaderStatement.objects.filter(scheduled_scan=scan).first()
    if row is None:
        return HeaderStatement.objects.create(scheduled_scan=scan, **facts)
    changed = [name for name, value in facts.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, facts[name])
    if changed:
        row.save(update_fields=changed)
    return row
