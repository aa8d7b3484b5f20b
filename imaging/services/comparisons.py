"""Which lesion of one scan is which of another: proposed by matching, said and signed by a reader.

A comparison is of two signed reads by one reader, of two scans of one patient: of two tracers, or
of one tracer at two times. The one mistake to fear is a lesion that counts as seen by one tracer
alone because the scans do not lie on each other, or were not both read: so both reads must stand,
and scans of two frames of reference need the shift, and how it was found, on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.utils import timezone

from imaging import matching, reading_terms, thresholds
from imaging.identity import tracer_of
from imaging.isometries import Isometry
from imaging.matching import MatchingError, MatchingRule, PlacedLesion, RecordedShift, ScanLesions
from imaging.models import LesionComparison, LesionPair, LesionRead, Read, Series
from imaging.selectors import comparisons as selecting
from imaging.selectors import volumes
from imaging.services import drawn_lesions, growing, open_volumes, response_orders
from trials import permissions
from trials.models import ScheduledScan, Signature, User
from trials.services import audit, signatures
from trials.services.errors import Invalid, Refused
from trials.version import VERSION

State, Kind = LesionComparison.State, LesionComparison.Kind
Status, Outcome, MatchedBy = LesionPair.Status, LesionPair.Outcome, LesionPair.MatchedBy
OVERTAKEN = (
    "One of the two reads no longer stands, or its series was measured again: read it, then "
    "compare anew."
)


def propose(
    one: Read, other: Read, *, by: User, shift: RecordedShift | None = None, reason: str = ""
) -> LesionComparison:
    """The reader's draft that compares two reads, with the pairs that matching proposes.

    A draft that is there is answered as it is. `shift` lays the second of the two on the first.
    To compare again what is signed needs a reason.
    """
    require_comparable(one, other, by=by)
    first, second = in_order(one, other)
    if shift and first != one:
        shift = RecordedShift(motion=shift.motion.inverse, how=shift.how)
    if draft := _draft(first, second):
        return draft
    rule = rule_for(first, second)
    found = matched(first, second, rule, shift)
    with _action("lesions.paired", _scan(first), by=by, reason=reason or "first comparison"):
        _hold(first, second)
        if draft := _draft(first, second):
            return draft
        if not (selecting.stands(first) and selecting.stands(second)):
            raise Refused("read-not-standing", OVERTAKEN)
        if selecting.signed_of(first, second):
            audit.require_reason(reason)
        comparison = LesionComparison.objects.create(
            kind=_kind(first, second),
            first=first,
            second=second,
            reader=by,
            shift=asdict(shift.motion) if shift else {},
            shift_how=shift.how if shift else "",
            parameters=rule,
            software_version=VERSION,
        )
        _keep(comparison, found)
    return comparison


def confirm(comparison: LesionComparison, numbers: Iterable[int], *, by: User) -> None:
    """Say that pairs are as proposed: the same lesion, or one that the other does not show."""
    require_own(comparison, by)
    with _action("pair.confirmed", _scan(comparison.first), by=by, reason="comparing"):
        _require_draft(comparison)
        pairs = [_pair(comparison, number) for number in numbers]
        for pair in pairs:
            if pair.regions_differ:
                raise Invalid("region", f"Pair {pair.number}: choose its region first.")
        _settle(pairs, Status.CONFIRMED)


def take_apart(comparison: LesionComparison, number: int, *, by: User) -> list[LesionPair]:
    """Say that the lesions of a pair are not one: each stands alone then."""
    require_own(comparison, by)
    with _action("pair.taken_apart", _scan(comparison.first), by=by, reason="comparing"):
        _require_draft(comparison)
        pair = _pair(comparison, number)
        firsts, seconds = _members(pair)
        if len(firsts) + len(seconds) < 2:
            raise Refused("one-lesion-alone", "This is one lesion: there is nothing to take apart.")
        _settle([pair], Status.REJECTED)
        return [
            *(_alone(comparison, one, is_first=True) for one in firsts),
            *(_alone(comparison, one, is_first=False) for one in seconds),
        ]


def join(comparison: LesionComparison, numbers: Sequence[int], *, by: User) -> LesionPair:
    """Say that the lesions of two or more pairs are one place of disease."""
    require_own(comparison, by)
    with _action("pairs.joined", _scan(comparison.first), by=by, reason="comparing"):
        _require_draft(comparison)
        pairs = [_pair(comparison, number) for number in sorted(set(numbers))]
        if len(pairs) < 2:
            raise Invalid("pairs", "Choose two or more pairs that are one place of disease.")
        members = [_members(pair) for pair in pairs]
        firsts = _by_volume(one for mine, _ in members for one in mine)
        seconds = _by_volume(one for _, theirs in members for one in theirs)
        _settle(pairs, Status.REJECTED)
        return _joined(comparison, firsts, seconds)


def place(comparison: LesionComparison, number: int, *, region: str, by: User) -> LesionPair:
    """Say in which region a pair lies, where its two reads say it differently, or not at all."""
    require_own(comparison, by)
    if region not in dict(reading_terms.REGIONS):
        raise Invalid("region", f"No region is called {region!r}.")
    with _action("pair.placed", _scan(comparison.first), by=by, reason="comparing"):
        _require_draft(comparison)
        pair = _pair(comparison, number)
        pair.region, pair.regions_differ = region, False
        pair.save(update_fields=["region", "regions_differ"])
    return pair


def obstacles(comparison: LesionComparison) -> list[str]:
    """What stands in the way of a signature, a sentence each."""
    sentences = []
    if not selecting.is_current(comparison):
        sentences.append(OVERTAKEN)
    waiting = [str(one.number) for one in selecting.pairs_of(comparison) if is_open(one)]
    if waiting:
        sentences.append(f"Not confirmed yet: {', '.join(waiting)}.")
    return sentences


def sign(comparison: LesionComparison, *, by: User, password: str) -> Signature:
    """Sign a comparison whose pairs are all confirmed; it takes the place of an earlier one."""
    require_own(comparison, by)
    permissions.require(by, "comparison.sign", comparison)
    meaning = Signature.Meaning.READ
    with _action("lesions.comparison_signed", _scan(comparison.first), by=by, reason=meaning.label):
        _hold(comparison.first, comparison.second)
        comparison = _require_draft(comparison)
        if found := obstacles(comparison):
            raise Refused("comparison-not-complete", " ".join(found))
        comparison.signed_at = timezone.now()
        signature = signatures.sign(
            comparison, by=by, password=password, meaning=meaning, content=content_of(comparison)
        )
        LesionComparison.objects.filter(
            first=comparison.first, second=comparison.second, state=State.SIGNED, superseded_by=None
        ).update(superseded_by=comparison)
        comparison.state = State.SIGNED
        comparison.save(update_fields=["state", "signed_at"])
        response_orders.order(_scan(comparison.second), by=by)
    return signature


def content_of(comparison: LesionComparison) -> dict[str, Any]:
    """What is signed with a comparison."""
    return {
        "kind": comparison.kind,
        "first": comparison.first.quantification.series.reading_identifier,
        "second": comparison.second.quantification.series.reading_identifier,
        "reads": [comparison.first_id, comparison.second_id],
        "shift": comparison.shift,
        "shift_how": comparison.shift_how,
        "parameters": comparison.parameters,
        "software_version": comparison.software_version,
        "pairs": [
            {
                "number": one.number,
                "first": one.first and one.first.number,
                "second": one.second and one.second.number,
                "first_parts": one.first_parts,
                "second_parts": one.second_parts,
                "outcome": one.outcome,
                "matched_by": one.matched_by,
                "region": one.region,
            }
            for one in selecting.pairs_of(comparison)
        ],
    }


def require_comparable(one: Read, other: Read, *, by: User) -> None:
    """Raise unless `by` may compare the two: own reads that stand, of two scans of one patient."""
    for read in (one, other):
        permissions.require(by, "comparison.edit", read)
    if by.pk not in (one.reader_id, other.reader_id) or one.reader_id != other.reader_id:
        raise Refused("not-your-read", "A reader compares reads of their own alone.")
    if _scan(one).patient_id != _scan(other).patient_id:
        raise Refused("not-of-one-patient", "These images are not of one patient.")
    if _scan(one) == _scan(other):
        raise Refused("same-scan", "These images are of one scan: there is nothing to compare.")
    for read in (one, other):
        if not selecting.stands(read):
            raise Refused("read-not-standing", OVERTAKEN)
        if _is_not_outlined(read):
            raise Refused(
                "not-outlined",
                f"{read.quantification.series.reading_identifier} has no outlines yet, for they "
                "wait for a reference region or for regions drawn elsewhere: that nothing is there "
                "was not looked at.",
            )


def in_order(one: Read, other: Read) -> tuple[Read, Read]:
    """Of one tracer the earlier scan first; of two tracers FDG, the usual comparator, last."""
    first, second = sorted((one, other), key=_place_in_order)
    return first, second


def shares_frame(one: Read, other: Read) -> bool:
    """Whether two scans lie in one frame of reference, so that no shift is needed."""
    first, second = _frame(one), _frame(other)
    return bool(first) and first == second


def _place_in_order(read: Read) -> tuple:
    scan = _scan(read)
    tracer = scan.planned_scan.tracer
    return tracer_of(tracer.name) == "FDG", tracer.identifier, scan.planned_at, scan.pk


def _kind(first: Read, second: Read) -> str:
    one, other = (_scan(read).planned_scan.tracer.identifier for read in (first, second))
    return Kind.TIMES if one == other else Kind.TRACERS


def _is_not_outlined(read: Read) -> bool:
    """Whether nothing was outlined for want of what outlines rest on, and the reader grew none."""
    waits = {thresholds.NO_REGION, drawn_lesions.NO_DRAWING} & set(read.quantification.flags)
    return bool(waits) and not read.lesion_reads.exists()


def _draft(first: Read, second: Read) -> LesionComparison | None:
    return LesionComparison.objects.filter(first=first, second=second, state=State.DRAFT).first()


def rule_for(first: Read, second: Read) -> dict[str, Any]:
    """What is proposed as one lesion, by the newer of the two scans' protocol versions."""
    versions = (_scan(read).planned_scan.version for read in (first, second))
    return max(versions, key=lambda version: version.number).lesion_matching


def matched(
    first: Read, second: Read, rule: dict[str, Any], shift: RecordedShift | None
) -> matching.Matching:
    """The lesions of two reads, each with the one that it is of the other; Refused with why."""
    numbers = MatchingRule(
        least_overlap=rule["least_overlap"], largest_distance_mm=rule["largest_distance_mm"]
    )
    try:
        return matching.match(
            _scan_lesions(first), _scan_lesions(second), rule=numbers, shift=shift
        )
    except MatchingError as error:
        raise Refused(error.code, error.message, status=422) from error


def _scan_lesions(read: Read) -> ScanLesions:
    opened = open_volumes.of_run(read.quantification)
    return ScanLesions(
        grid=opened.grid,
        frame_of_reference=_frame(read),
        lesions=tuple(
            PlacedLesion(
                name=_name(row.number), voxels=voxels_of(row, opened), region=row.region or None
            )
            for row in selecting.lesions_of(read)
        ),
    )


def voxels_of(row: LesionRead, opened: open_volumes.OpenVolume) -> np.ndarray:
    """The voxels of a lesion, found again in its volume; raises if they are not those measured."""
    found = growing.voxels_of(opened, row)
    if found.size != row.measured.voxel_count:
        raise Refused(
            "regions-not-found-again",
            f"Lesion {row.number} of {row.read.quantification.series.reading_identifier} is not "
            "found again as it was measured: have the series measured again.",
        )
    return found


def _frame(read: Read) -> str:
    series = read.quantification.series
    instance = series.instances.first()
    return volumes.header_of(instance, series.modality).frame_of_reference_uid if instance else ""


def _name(number: int) -> str:
    """A number as the matching orders names."""
    return f"{number:06d}"


def _keep(comparison: LesionComparison, found: matching.Matching) -> None:
    firsts = {_name(row.number): row for row in selecting.lesions_of(comparison.first)}
    seconds = {_name(row.number): row for row in selecting.lesions_of(comparison.second)}
    LesionPair.objects.bulk_create(
        LesionPair(
            comparison=comparison,
            number=number,
            first=firsts[site.first] if site.first else None,
            second=seconds[site.second] if site.second else None,
            first_parts=[int(name) for name in site.first_parts],
            second_parts=[int(name) for name in site.second_parts],
            outcome=site.outcome,
            matched_by=site.matched_by,
            shared_ml=site.shared_ml if site.outcome == Outcome.BOTH else None,
            dice=site.dice if site.outcome == Outcome.BOTH else None,
            distance_mm=site.distance_mm,
            region=site.region or "",
            regions_differ=site.regions_differ,
        )
        for number, site in enumerate(found.sites, start=1)
    )


def _members(pair: LesionPair) -> tuple[list[LesionRead], list[LesionRead]]:
    """All lesions of a pair, of the first and of the second scan."""
    comparison = pair.comparison
    firsts = {row.number: row for row in selecting.lesions_of(comparison.first)}
    seconds = {row.number: row for row in selecting.lesions_of(comparison.second)}
    return (
        [*([pair.first] if pair.first else []), *(firsts[one] for one in pair.first_parts)],
        [*([pair.second] if pair.second else []), *(seconds[one] for one in pair.second_parts)],
    )


def _by_volume(rows: Iterable[LesionRead]) -> list[LesionRead]:
    """The largest first: it gives the others its name."""
    return sorted(rows, key=lambda row: (-row.measured.volume_ml, row.number))


def _joined(
    comparison: LesionComparison, firsts: Sequence[LesionRead], seconds: Sequence[LesionRead]
) -> LesionPair:
    first = firsts[0] if firsts else None
    second = seconds[0] if seconds else None
    if not (first and second):
        pair = _alone(comparison, first or second, is_first=first is not None)
        pair.first_parts = [row.number for row in firsts[1:]]
        pair.second_parts = [row.number for row in seconds[1:]]
        pair.matched_by = MatchedBy.READER
        pair.save(update_fields=["first_parts", "second_parts", "matched_by"])
        return pair
    apart = np.subtract(
        first.measured.centroid_mm, motion_of(comparison)(second.measured.centroid_mm)
    )
    return LesionPair.objects.create(
        comparison=comparison,
        number=_next_number(comparison),
        first=first,
        second=second,
        first_parts=[row.number for row in firsts[1:]],
        second_parts=[row.number for row in seconds[1:]],
        outcome=Outcome.BOTH,
        matched_by=MatchedBy.READER,
        distance_mm=float(np.linalg.norm(apart)),
        region=first.region or second.region,
        regions_differ=bool(first.region and second.region and first.region != second.region),
        **_by_reader(),
    )


def _alone(comparison: LesionComparison, row: LesionRead, *, is_first: bool) -> LesionPair:
    """A pair of one lesion: the other scan does not show it, or does not reach it."""
    outcome = Outcome.FIRST_ONLY if is_first else Outcome.SECOND_ONLY
    return LesionPair.objects.create(
        comparison=comparison,
        number=_next_number(comparison),
        first=row if is_first else None,
        second=None if is_first else row,
        outcome=outcome if _is_covered(comparison, row, is_first) else Outcome.NOT_COVERED,
        region=row.region,
        **_by_reader(),
    )


def _by_reader() -> dict[str, Any]:
    return {"status": Status.CONFIRMED, "decided_at": timezone.now()}


def _is_covered(comparison: LesionComparison, row: LesionRead, is_first: bool) -> bool:
    motion = motion_of(comparison)
    other = comparison.second if is_first else comparison.first
    to_other = motion.inverse if is_first else motion
    grid = open_volumes.of_run(other.quantification).grid
    return bool(matching.is_inside(grid, to_other(np.array([row.measured.centroid_mm])))[0])


def motion_of(comparison: LesionComparison) -> Isometry:
    """The motion that lays the second scan on the first."""
    if not comparison.shift:
        return Isometry()
    rows = [(float(x), float(y), float(z)) for x, y, z in comparison.shift["matrix"]]
    x, y, z = comparison.shift["offset_mm"]
    return Isometry((rows[0], rows[1], rows[2]), (float(x), float(y), float(z)))


def _next_number(comparison: LesionComparison) -> int:
    last = comparison.pairs.order_by("-number").first()
    return last.number + 1 if last else 1


def _pair(comparison: LesionComparison, number: int) -> LesionPair:
    """A pair that stands, held. Inside an action."""
    rows = comparison.pairs.exclude(status=Status.REJECTED).select_for_update(of=("self",))
    pair = rows.select_related("first", "second").filter(number=number).first()
    if pair is None:
        raise Invalid("pairs", f"This comparison has no pair {number}.")
    return pair


def is_open(pair: LesionPair) -> bool:
    """Whether the reader still has to say something of it."""
    return pair.status == Status.PROPOSED or pair.regions_differ


def _settle(pairs: Sequence[LesionPair], status: str) -> None:
    LesionPair.objects.filter(pk__in=[one.pk for one in pairs]).update(
        status=status, decided_at=timezone.now()
    )


def _hold(first: Read, second: Read) -> None:
    """No run takes the place of theirs until this transaction ends."""
    series = [read.quantification.series_id for read in (first, second)]
    list(Series.objects.select_for_update().filter(pk__in=series).order_by("pk"))


def require_own(comparison: LesionComparison, by: User) -> None:
    """Raise unless `by` is its reader."""
    permissions.require(by, "comparison.edit", comparison)
    if comparison.reader_id != by.pk:
        raise Refused(
            "not-your-comparison", "A comparison is seen and changed by its own reader alone."
        )


def _require_draft(comparison: LesionComparison) -> LesionComparison:
    """The comparison as it is now, held; raises if it is no draft. Inside an action."""
    held = LesionComparison.objects.select_for_update(of=("self",)).get(pk=comparison.pk)
    if held.state == State.SIGNED:
        raise Refused(
            "comparison-signed", "This comparison is signed. To change it, compare the reads again."
        )
    if held.state == State.OVERTAKEN or not selecting.is_current(held):
        raise Refused("read-not-standing", OVERTAKEN)
    return held


def _scan(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan


def _action(name: str, scan: ScheduledScan, *, by: User, reason: str):
    return audit.action(
        name, actor=by, reason=reason, trial=scan.patient.trial_id, patient=scan.patient_id
    )
