"""What signed reads found, ended where the numbers that were read hold no more."""

from __future__ import annotations

from collections.abc import Iterable

from imaging.models import Read
from imaging.services import read_counting, read_endings, response_orders
from trials.services import jobs


def end(series: Iterable[int]) -> None:
    """The findings of reads of some series are no results any more. Inside an action.

    Measured again, taken away, or no longer the series that counts: they are to be read again.
    """
    reads = Read.objects.filter(
        quantification__series__in=series,
        state=Read.State.SIGNED,
        superseded_by=None,
        ended_at=None,
    ).select_related("quantification__series__imaging_study__scheduled_scan")
    ended = set()
    for read in reads:
        ended |= read_endings.end_of(read, because=read_endings.OVERTAKEN)
    scans = {read.quantification.series.imaging_study.scheduled_scan for read in reads}
    read_counting.settle_after(scans, ended=ended)
    # What is left, an earlier baseline or another reader's read, may give an answer yet.
    for scan in scans:
        response_orders.order(scan, by=jobs.system_user())
