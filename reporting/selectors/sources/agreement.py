"""Readers beside each other, and whether a read counts for its scan."""

from __future__ import annotations

from imaging.models import Read, ReaderAgreement
from reporting.selectors.sources.base import SCAN_OF_RUN, Source, subject
from trials.models import Trial
from trials.selectors import counted_reads

_SCAN = f"first__{SCAN_OF_RUN}"


def with_acceptance(rows, source_pk: str):
    """Rows with whether the read that `source_pk` leads to counts."""
    accepted = counted_reads.accepted(Read._meta.db_table, source_pk)
    return rows.annotate(is_accepted=accepted)


def _answers(trial: Trial):
    """What each two readers answered, of reads that stand."""
    rows = ReaderAgreement.objects.filter(ended_at=None, **{f"{_SCAN}patient__trial": trial})
    return rows.order_by(f"{_SCAN}patient__identifier", f"{_SCAN}pk", "pk")


AGREEMENT = Source(
    _answers,
    {
        **subject(f"{_SCAN}patient__"),
        "scan": f"{_SCAN}pk",
        "agreement": "pk",
        **{
            f"{side}_{name}": f"{side}{path}"
            for side in ("first", "second")
            for name, path in (("read", "_id"), ("reader", "__reader_id"))
        },
    },
)
