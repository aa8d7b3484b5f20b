"""What two readers of a scan answered to the questions of a protocol, kept until it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from django.utils import timezone

from imaging.isometries import Isometry
from imaging.matching import RecordedShift
from imaging.models import Read, ReaderAgreement, ResponseEvaluation
from imaging.services import comparisons
from trials import discordance, read_rules
from trials.discordance import Answers, Reading
from trials.models import Finding, ScheduledScan
from trials.selectors import findings
from trials.services.errors import Refused

SCAN = "quantification__series__imaging_study__scheduled_scan"
PRESENT, ABSENT, NOT_COMPARED = "present", "absent", "not compared"
# Two reads of one run lie on each other as they are.
UNMOVED = RecordedShift(motion=Isometry(), how="two reads of one run")
# A pair of reads with what is asked of them.
Asked = tuple[int, int, str, str]


def keep(
    scan: ScheduledScan, reads: Sequence[Read], rule: Mapping[str, Any]
) -> Collection[Answers]:
    """Keep every answer of each two of `reads`, and hand them back.

    `reads` are those of a scan that stand. Inside the action that changed them.
    """
    asked = read_rules.asked(rule)
    standing = {
        (one.first_id, one.second_id, one.question, one.subject): one
        for one in ReaderAgreement.objects.filter(**{f"first__{SCAN}": scan}, ended_at=None)
    }
    found = {
        (first.pk, second.pk, each.question, each.of): each
        for first, second, each in _answers(scan, reads, asked, standing)
    }
    gone = [row.pk for key, row in standing.items() if not _is_same(row, found.get(key), asked)]
    ReaderAgreement.objects.filter(pk__in=gone).update(ended_at=timezone.now())
    ReaderAgreement.objects.bulk_create(
        _row(key, each, asked)
        for key, each in found.items()
        if key not in standing or standing[key].pk in gone
    )
    return found.values()


def _answers(
    scan: ScheduledScan,
    reads: Sequence[Read],
    asked: Collection[str],
    standing: Mapping[Asked, ReaderAgreement],
) -> Iterator[tuple[Read, Read, Answers]]:
    if len(reads) < 2:
        return
    readings = _readings(scan, reads)
    rules = _evaluated_on(scan) if read_rules.RESPONSE in asked else ()
    for first, second in combinations(reads, 2):
        for each in discordance.answers(readings[first.pk], readings[second.pk], rules):
            yield first, second, each
        if read_rules.LESION in asked:
            known = _matched_before(first, second, standing)
            for each in known or _matched(first, second):
                yield first, second, each


def _evaluated_on(scan: ScheduledScan) -> list[str]:
    """The rules that this is a later scan of."""
    plan = scan.planned_scan
    return [
        one["identifier"]
        for one in plan.version.response_rules
        if plan.identifier in one["follow_ups"]
    ]


def _readings(scan: ScheduledScan, reads: Sequence[Read]) -> dict[int, Reading]:
    rows: dict[int, list[Finding]] = defaultdict(list)
    keys = [one.pk for one in reads]
    for one in scan.findings.filter(
        source_table=Read._meta.db_table, source_pk__in=keys, superseded_at=None
    ):
        rows[one.source_pk].append(one)
    responses: dict[int, dict[str, str]] = defaultdict(dict)
    for each in ResponseEvaluation.objects.filter(later_read__in=keys, is_current=True):
        responses[each.later_read_id][each.rule] = each.category
    return {key: findings.reading(rows[key], responses[key]) for key in keys}


def _matched_before(
    first: Read, second: Read, standing: Mapping[Asked, ReaderAgreement]
) -> list[Answers]:
    """What matching came to before; neither of two signed reads changes."""
    return [
        Answers(row.question, row.subject, row.first_answer, row.second_answer, row.is_comparable)
        for (one, other, question, _), row in standing.items()
        if (one, other) == (first.pk, second.pk) and question == read_rules.LESION
    ]


def _matched(first: Read, second: Read) -> list[Answers]:
    """Each lesion of the two reads, and whether both have one there."""
    rule = comparisons.rule_for(first, second)
    try:
        found = comparisons.matched(first, second, rule, UNMOVED)
    except Refused:
        # A region that can't be found again in its volume is no agreement.
        nothing = Answers(read_rules.LESION, "", NOT_COMPARED, NOT_COMPARED, is_comparable=False)
        return [nothing]
    return [
        Answers(
            read_rules.LESION,
            str(int(site.first)) if site.first else f"{int(site.second or 0)} of the second",
            PRESENT if site.first else ABSENT,
            PRESENT if site.second else ABSENT,
        )
        for site in found.sites
    ]


def _is_same(row: ReaderAgreement, found: Answers | None, asked: Collection[str]) -> bool:
    return found is not None and (
        row.first_answer,
        row.second_answer,
        row.is_comparable,
        row.is_asked,
    ) == (found.first, found.second, found.is_comparable, found.question in asked)


def _row(key: Asked, found: Answers, asked: Collection[str]) -> ReaderAgreement:
    first, second, question, subject = key
    return ReaderAgreement(
        first_id=first,
        second_id=second,
        question=question,
        subject=subject,
        first_answer=found.first,
        second_answer=found.second,
        is_comparable=found.is_comparable,
        is_discordant=found.differ,
        is_asked=question in asked,
    )
