"""Scans whose readers differ, as who settles it sees them: by letters, and nobody's name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from imaging import reading_terms
from imaging.models import Adjudication, Read, ReaderAgreement, Series
from imaging.selectors import comparisons
from trials import discordance, read_rules, response_rules
from trials.discordance import Answers, Difference
from trials.models import CountedRead, ScheduledScan, User
from trials.services.errors import Refused

# What is chosen where none of the reads is: the adjudicator's own.
ANEW = "anew"
TAKEN_OVER = "Another reader took it over."
# How long who took it over is left alone by whom it was taken from.
LEFT_FOR = timedelta(days=7)
_REGION_NAMES = dict(reading_terms.REGIONS)
SCAN = "quantification__series__imaging_study__scheduled_scan"
_OPEN = ~Q(state=Adjudication.State.VOID)
SERIES = Series.objects.select_related(
    "imaging_study__scheduled_scan__planned_scan__version",
    "imaging_study__scheduled_scan__patient__site",
)


@dataclass(frozen=True)
class Task:
    """A series whose readers differ, and how far its adjudication is."""

    series: Series
    kind: str
    # The user's own, one that is proposed to the user, or one that another reader has begun.
    adjudication: Adjudication | None
    is_anothers: bool


def of_scan(scan: ScheduledScan) -> Adjudication | None:
    """The adjudication of a scan that is not void."""
    return scan.adjudications.filter(_OPEN).first()


def of_read(read: Read) -> QuerySet[Adjudication]:
    """Where a read was one of those to settle between, or was read to settle it; void ones too."""
    rows = Adjudication.objects.filter(Q(reads=read) | Q(chosen=read)).distinct()
    return rows.select_related("adjudicator").order_by("pk")


def is_to_read(scan: ScheduledScan, user: User) -> bool:
    """Whether what the user reads of a scan is read to settle what its readers differ in."""
    return scan.adjudications.filter(
        kind=Adjudication.Kind.THIRD_READER,
        state=Adjudication.State.BEGUN,
        adjudicator=user,
    ).exists()


def has_adjudicated(scan: ScheduledScan, user: User) -> bool:
    """Whether the user saw the reads of a scan beside each other, whatever became of it."""
    return scan.adjudications.filter(adjudicator=user).exists()


def waits(scan: ScheduledScan) -> bool:
    """Whether the readers of a scan differ, and somebody is to settle it."""
    return CountedRead.objects.filter(
        scheduled_scan=scan, ended_at=None, basis=CountedRead.Basis.AWAITING_ADJUDICATION
    ).exists()


def may_settle(series: Series, user: User) -> bool:
    """By the rule of the protocol: one who never read the scan, or one of its readers."""
    scan = series.imaging_study.scheduled_scan
    kind = scan.planned_scan.version.read_rule.get("adjudication")
    if kind == read_rules.CONSENSUS:
        reads = comparisons.standing_reads().filter(**{SCAN: scan}, is_adjudication=False)
        return reads.filter(reader=user).exists()
    read = Read.objects.filter(**{SCAN: scan}, reader=user, is_adjudication=False)
    return kind == read_rules.THIRD_READER and not read.exists()


def tasks(series: QuerySet[Series], user: User) -> list[Task]:
    """What waits for the user, of `series`, in the order of reading identifiers."""
    waiting = CountedRead.objects.filter(
        scheduled_scan=OuterRef("imaging_study__scheduled_scan"),
        ended_at=None,
        basis=CountedRead.Basis.AWAITING_ADJUDICATION,
    )
    rows = series.filter(Exists(waiting)).select_related(
        "imaging_study__scheduled_scan__planned_scan__version"
    )
    found = []
    for one in rows.order_by("reading_identifier"):
        scan = one.imaging_study.scheduled_scan
        row = of_scan(scan)
        kind = scan.planned_scan.version.read_rule["adjudication"]
        if may_settle(one, user):
            found.append(Task(one, kind, row, row is not None and may_take_over(row, user)))
    return found


def may_take_over(row: Adjudication, user: User) -> bool:
    """Whether another third reader began it and has not signed it."""
    is_begun = row.state == Adjudication.State.BEGUN
    is_single = row.kind == Adjudication.Kind.THIRD_READER
    return is_begun and is_single and row.adjudicator_id != user.pk


def taken_from_until(row: Adjudication, user: User) -> datetime | None:
    """Until when a reader it was taken from leaves it to who took it over; None if it was not."""
    was_mine = row.scheduled_scan.adjudications.filter(
        adjudicator=user, void_because=TAKEN_OVER, begun_at__lt=row.begun_at
    )
    return row.begun_at + LEFT_FOR if was_mine.exists() else None


def still_to_read(series: QuerySet[Series], user: User) -> QuerySet[Series]:
    """Without those that have the readers the protocol asks for, and that the user did not read."""
    own = Read.objects.filter(quantification__series=OuterRef("pk"), reader=user)
    version = "scheduled_scan__planned_scan__version__definition"
    enough = (
        CountedRead.objects.filter(
            scheduled_scan=OuterRef("imaging_study__scheduled_scan"),
            ended_at=None,
            **{f"{version}__reads__has_key": "readers"},
        )
        .exclude(basis=CountedRead.Basis.AWAITING_READERS)
        # What is only proposed asks for no number of readers.
        .exclude(**{f"{version}__contains": {"reads": {"provenance": "proposed"}}})
    )
    return series.filter(Exists(own) | ~Exists(enough))


def looks_at(user: User, prefix: str = "") -> Q:
    """Reads that the user may look into: one's own, and those one settles the difference of."""
    settled = Adjudication.objects.filter(_OPEN, reads=OuterRef(f"{prefix}pk")).filter(
        Q(adjudicator=user) | Q(kind=Adjudication.Kind.CONSENSUS, reads__reader=user)
    )
    return Q(**{f"{prefix}reader": user}) | Q(Exists(settled))


@dataclass(frozen=True)
class Side:
    """One of the reads to settle between: its letter, and the read, whose reader is not named."""

    letter: str
    read: Read


def sides(adjudication: Adjudication) -> list[Side]:
    """The reads by letters that follow neither person nor time, the same whenever asked."""
    rows = adjudication.reads.select_related("quantification__series")
    ordered = sorted(rows, key=lambda one: _digest(adjudication, one))
    return [Side(chr(ord("A") + place), one) for place, one in enumerate(ordered)]


def side_of(adjudication: Adjudication, letter: str) -> Side:
    for one in sides(adjudication):
        if one.letter == letter:
            return one
    raise Http404


def begun(series: Series, user: User) -> Adjudication:
    """The adjudication that the user began, or shares; Refused where there is none."""
    row = of_scan(series.imaging_study.scheduled_scan)
    if row is None:
        raise Refused("adjudication-not-begun", "Begin the adjudication first.")
    is_shared = row.kind == Adjudication.Kind.CONSENSUS and may_settle(series, user)
    if row.adjudicator_id != user.pk and not is_shared:
        raise Refused(
            "adjudicated-by-another",
            "Another reader has begun to settle it. Who can't wait takes it over.",
        )
    return row


def chosen(adjudication: Adjudication) -> str:
    """The letter of the read that holds, "anew" for the adjudicator's own, empty where none."""
    if adjudication.chosen is None:
        return ""
    letters = {one.read.pk: one.letter for one in sides(adjudication)}
    return letters.get(adjudication.chosen.pk, ANEW)


def own_read(adjudication: Adjudication) -> Read | None:
    """What the adjudicator read and signed to settle it."""
    return (
        comparisons.standing_reads()
        .filter(
            **{SCAN: adjudication.scheduled_scan_id},
            reader=adjudication.adjudicator_id,
            is_adjudication=True,
        )
        .first()
    )


@dataclass(frozen=True)
class Differing:
    """What two of the reads differ in, by their letters."""

    first: str
    second: str
    differences: list[Difference]


def differing(adjudication: Adjudication) -> list[Differing]:
    """What each two of the reads differ in, as far as the protocol asks it."""
    letters = {one.read.pk: one.letter for one in sides(adjudication)}
    found: dict[tuple[str, str], list[Difference]] = {}
    for one in ReaderAgreement.objects.filter(
        first__in=letters, second__in=letters, ended_at=None, is_discordant=True, is_asked=True
    ):
        pair = (letters[one.first_id], letters[one.second_id])
        told = _answers(one, is_turned=pair[0] > pair[1])
        found.setdefault((min(pair), max(pair)), []).append(_in_words(told, adjudication))
    return [Differing(*pair, rows) for pair, rows in sorted(found.items())]


def _answers(row: ReaderAgreement, *, is_turned: bool) -> Answers:
    told = (row.first_answer, row.second_answer)
    first, second = reversed(told) if is_turned else told
    return Answers(row.question, row.subject, first, second, row.is_comparable)


def _in_words(told: Answers, adjudication: Adjudication) -> Difference:
    """A difference that calls a region what the reader chose it by, and a rule by its scale."""
    found = discordance.difference(told)
    if told.question == read_rules.RESPONSE:
        rules = adjudication.scheduled_scan.planned_scan.version.response_rules
        return replace(found, question=f"Response by {response_rules.name(told.of, rules)}")
    if told.question != read_rules.REGION:
        return found
    return replace(found, question=_REGION_NAMES.get(told.of, found.question))


def _digest(adjudication: Adjudication, read: Read) -> str:
    run = read.quantification
    told = f"{run.series.reading_identifier} {adjudication.pk} {read.pk}"
    return hashlib.sha256(told.encode()).hexdigest()
