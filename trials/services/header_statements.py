"""What image headers state of an injection, told by imaging so that nobody types it again."""

from __future__ import annotations

from trials.models import HeaderStatement, ScheduledScan
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
    row = HeaderStatement.objects.filter(scheduled_scan=scan).first()
    if row is None:
        return HeaderStatement.objects.create(scheduled_scan=scan, **facts)
    changed = [name for name, value in facts.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, facts[name])
    if changed:
        row.save(update_fields=changed)
    return row
