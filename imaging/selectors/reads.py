"""Reads as their own reader sees them. No reader sees another's, neither on a page nor here."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.http import Http404

from imaging.models import GrownLesion, LesionRead, Quantification, Read, Series
from imaging.selectors import adjudications
from trials import permissions
from trials.models import User
from trials.selectors import findings
from trials.services.errors import Refused

_HAS_ENDED = Q(ended_at__isnull=False) | Q(quantification__is_current=False)


def own(user: User) -> QuerySet[Read]:
    """The reads of one reader."""
    return Read.objects.filter(reader=user).select_related(
        "quantification__series__imaging_study__scheduled_scan__patient",
        "quantification__series__imaging_study__scheduled_scan__planned_scan__version",
    )


def newest(run: Quantification, reader: User) -> Read | None:
    """The reader's draft on a run, else the read of it that stands."""
    return (
        own(reader)
        .filter(quantification=run, superseded_by=None, ended_at=None)
        .exclude(state=Read.State.OVERTAKEN)
        .order_by("-pk")
        .first()
    )


def own_of(series: Series, reader: User) -> Read:
    """The own draft of a series, else the own signed read, which may have `ended`.

    Refused where there is none.
    """
    rows = own(reader).filter(quantification__series=series, superseded_by=None)
    read = rows.exclude(state=Read.State.OVERTAKEN).order_by("pk").last()
    if read is None:
        raise Refused("read-not-begun", "Begin the read first.")
    return read


def ended(read: Read) -> str:
    """Why a signed read that nothing superseded holds no more, and what to do; empty if it does."""
    if read.state != Read.State.SIGNED or read.superseded_by_id:
        return ""
    run = read.quantification
    if run.series.code in Series.GONE:
        return "The images of this series were removed: there is nothing to read again."
    if not run.is_current:
        return (
            f"The series was measured again after run {run.run} was read, so that the findings of "
            "that read hold no more. Begin a new read: what was grown is grown again."
        )
    if not run.series.counts:
        return (
            "This series no longer counts for its scan, so that the findings of the read hold no "
            "more. The list of series to read has the one that counts."
        )
    if read.ended_at:
        return (
            "For a time this series did not count for its scan, so that the findings of the read "
            "hold no more. It counts again: begin a new read."
        )
    return ""


def last_ended(series: Series, reader: User) -> Read | None:
    """The reader's signed read that has ended, where there is none that stands."""
    mine = own(reader).filter(quantification__series=series, superseded_by=None)
    last = mine.exclude(state=Read.State.OVERTAKEN).order_by("pk").last()
    return last if last and ended(last) else None


def standing(read: Read) -> Read | None:
    """The signed read of this series, by the same reader, that this one would supersede."""
    return Read.objects.filter(
        quantification__series=read.quantification.series_id,
        reader=read.reader_id,
        state=Read.State.SIGNED,
        superseded_by=None,
    ).first()


def grew(series: Series, reader: User) -> bool:
    """Whether the reader ever grew a region on it."""
    return GrownLesion.objects.filter(
        read__reader=reader, read__quantification__series=series
    ).exists()


def rows_of(read: Read) -> list[LesionRead]:
    """The regions of a read with what is measured on them; one query."""
    return list(
        read.lesion_reads.select_related(
            "lesion", "grown__grown_from__lesionread", "grown__mirror_image"
        )
    )


def next_number(read: Read) -> int:
    """Of a region that the reader adds: one after the last."""
    last = read.lesion_reads.order_by("-number").first()
    return last.number + 1 if last else 1


def grown_seen_by(user: User, pk: int) -> GrownLesion:
    """A grown region: one's own, of a read to adjudicate, or of one whose findings are shown."""
    rows = GrownLesion.objects.select_related("read__quantification__series__transmittal")
    if mine := rows.filter(adjudications.looks_at(user, "read__"), pk=pk).first():
        permissions.require(user, "quantification.view", mine)
        return mine
    row = permissions.fetched(
        rows.filter(read__state=Read.State.SIGNED), user, "finding.view", pk=pk
    )
    if not findings.may_see(user, row):
        raise Http404
    return row


def with_own_read(series: QuerySet[Series], reader: User) -> QuerySet[Series]:
    """Series with the state of the reader's own newest read, and how many regions it decided."""
    mine = (
        Read.objects.filter(
            quantification__series=OuterRef("pk"), reader=reader, superseded_by=None
        )
        .exclude(state=Read.State.OVERTAKEN)
        # Ended, or measured again since it was signed: to be read again.
        .exclude(Q(state=Read.State.SIGNED) & _HAS_ENDED)
        .annotate(
            regions=Count("lesion_reads"),
            decided=Count("lesion_reads", filter=~Q(lesion_reads__decision="undecided")),
        )
        .order_by("-pk")
    )
    ended = Read.objects.filter(
        _HAS_ENDED,
        quantification__series=OuterRef("pk"),
        reader=reader,
        state=Read.State.SIGNED,
        superseded_by=None,
    )
    return series.annotate(
        own_state=Subquery(mine.values("state")[:1]),
        own_regions=Subquery(mine.values("regions")[:1]),
        own_decided=Subquery(mine.values("decided")[:1]),
        own_ended=Exists(ended),
    )
