"""What signed reads found, ended where the numbers that were read hold no more."""

from __future__ import annotations

from collections.abc import Iterable

from imaging.models import Read
from trials.services import findings


def end(series: Iterable[int]) -> None:
    """The findings of reads of some series are no results any more. Inside an action.

    Measured again, taken away, or no longer the series that counts: they are to be read again.
    """
    for read in Read.objects.filter(
        quantification__series__in=series, state=Read.State.SIGNED, superseded_by=None
    ):
        findings.supersede(read)
