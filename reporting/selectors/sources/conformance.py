"""What series were found not to keep, as it stands."""

from __future__ import annotations

from imaging.models import ConformanceFinding
from reporting.selectors.sources.base import Source, computed, subject
from trials.models import Trial

_SCAN = "series__imaging_study__scheduled_scan"


def _findings(trial: Trial):
    rows = ConformanceFinding.objects.filter(is_current=True, **{f"{_SCAN}__patient__trial": trial})
    return rows.order_by(f"{_SCAN}__patient__identifier", "series", "pk")


CONFORMANCE = Source(
    _findings,
    {
        **subject(f"{_SCAN}__patient__"),
        "scan": f"{_SCAN}_id",
        "series": "series_id",
        "finding": "pk",
        "is_let_pass": computed(lambda at: at is not None, "overridden_at"),
    },
)
