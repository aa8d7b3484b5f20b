"""Lesions on CT of reads and of evaluations by RECIST, in words for a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imaging import reading_terms
from imaging.models import Read
from imaging.models import RecistLesion as Recorded
from imaging.response.recist_lesions import KINDS, NAMES, STATES, Lesions, RecistLesion, sum_mm
from trials.models import ScheduledScan

CRITERION = "recist"
_WHERE = dict(reading_terms.REGIONS)


@dataclass(frozen=True)
class Row:
    """One lesion: what it is, where, and its length or state in each of the scans."""

    name: str
    kind: str
    where: str
    found: Sequence[str]
    # Of each scan the read it stands in.
    reads: Sequence[int]

    @property
    def cells(self) -> list[tuple[str, int]]:
        return list(zip(self.found, self.reads, strict=True))


@dataclass(frozen=True)
class Table:
    """Lesions with the sum of the targets; a sum is empty where a target was not assessed."""

    heads: Sequence[tuple[str, int]]
    rows: Sequence[Row]
    sums: Sequence[str]


def rule_of(scan: ScheduledScan) -> Mapping[str, Any] | None:
    """The rule of RECIST that a scan is a baseline or a later scan of."""
    plan = scan.planned_scan
    for rule in plan.version.response_rules:
        is_of = plan.identifier in (rule["baseline"], *rule["follow_ups"])
        if is_of and rule["criterion"] == CRITERION:
            return rule
    return None


def of(read: Read) -> list[RecistLesion]:
    """The lesions of a read, by kind and number."""
    found = {one.lesion: one for one in Recorded.objects.filter(read=read).exclude(state="")}
    names = [name for kind in NAMES.values() for name in kind if name in found]
    return [
        RecistLesion(one.lesion, one.region, one.state, one.diameter_mm)
        for one in map(found.__getitem__, names)
    ]


def of_read(read: Read | None) -> Table | None:
    """What a read records; None without a read, and where no rule asks for it."""
    if read is None or rule_of(read.quantification.series.imaging_study.scheduled_scan) is None:
        return None
    return _table([("Length", read.pk)], [of(read)])


def of_reads(reads: Mapping[str, Read]) -> Table | None:
    """What reads of one scan record, beside each other by their heads; None where none is asked."""
    scans = [one.quantification.series.imaging_study.scheduled_scan for one in reads.values()]
    if not any(map(rule_of, scans)):
        return None
    heads = [(head, one.pk) for head, one in reads.items()]
    return _table(heads, [of(one) for one in reads.values()])


def of_inputs(inputs: Mapping[str, Any]) -> Table | None:
    """What an evaluation froze, scan by scan; None of another scale."""
    if "earlier" not in inputs:
        return None
    sides = [inputs["baseline"], *inputs["earlier"], inputs["later"]]
    heads = [
        ("Baseline" if i == 0 else f"Day {one['day']}", one["read"]) for i, one in enumerate(sides)
    ]
    return _table(heads, [[RecistLesion(**one) for one in side["recist"]] for side in sides])


def _table(heads: Sequence[tuple[str, int]], scans: Sequence[Lesions]) -> Table:
    named = {one.name: one for lesions in scans for one in lesions}
    found = [{one.name: one for one in lesions} for lesions in scans]
    return Table(
        heads=heads,
        rows=[
            Row(
                name,
                KINDS[one.kind],
                _WHERE.get(one.region, one.region),
                [_words(lesions.get(name)) for lesions in found],
                [read for _, read in heads],
            )
            for name, one in sorted(named.items(), key=_order)
        ],
        sums=["" if (total := sum_mm(one)) is None else f"{total:.1f} mm" for one in scans],
    )


def _order(item: tuple[str, RecistLesion]) -> tuple[int, int]:
    name = item[0]
    return ("TNX".index(name[0]), int(name[1:]))


def _words(one: RecistLesion | None) -> str:
    if one is None:
        return "–"
    if one.diameter_mm is not None:
        return f"{one.diameter_mm:.1f} mm"
    return dict(STATES[one.kind]).get(one.state, "not stated")
