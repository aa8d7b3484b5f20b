"""A reader's read: opened on a run, decided region by region, signed, handed to the trial.

Each reader sees and changes reads of their own alone; a signed one is never changed. The one
mistake to fear is a signature over something that the reader did not see: what is signed is the
current run, with every one of its regions decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.utils import timezone

from imaging import lesions, reading_terms, thresholds
from imaging.models import (
    GrownLesion,
    LesionRead,
    Quantification,
    Read,
    Series,
)
from imaging.selectors import FLAGS, comparisons, positivity, regions
from imaging.selectors import adjudications as adjudicating
from imaging.selectors import reads as selecting
from imaging.services import (
    adrenals,
    carrying,
    drawn_lesions,
    growing,
    grown_mirror_images,
    objects,
    open_volumes,
    overlaps,
    read_counting,
    read_endings,
    recist_lesions,
    response_answers,
    response_orders,
)
from imaging.services.carrying import outline_of
from trials import permissions
from trials.models import Finding, ScheduledScan, Signature, User
from trials.selectors import counted_reads
from trials.services import audit, findings, signatures
from trials.services.errors import Invalid, Refused
from trials.services.fault_points import reach
from trials.services.findings import Result

Decision = LesionRead.Decision
Positivity = LesionRead.Positivity
# Flags of a run that outlines nothing before a person has done something.
NOTHING_OUTLINED = (drawn_lesions.NO_DRAWING, thresholds.NO_REGION)
# What a decision says beside itself.
SAID = ("decision", "organ", "reason", "region", "positivity")


def open_read(series: Series, *, by: User, reason: str = "") -> Read:
    """The reader's draft on the current run, begun if there is none.

    What was decided in a draft on an earlier run is taken over for regions that are still the
    same, what was answered too, and what the reader grew is grown again. To read again what one
    signed needs a reason.
    """
    permissions.require(by, "read.edit", series)
    scan = series.imaging_study.scheduled_scan
    if selecting.grew(series, by):
        # The archive is read before anything is held.
        open_volumes.of_run(_current(series))
    with _action("read.opened", scan, by=by, reason=reason or "first read"):
        Series.objects.select_for_update().get(pk=series.pk)
        run = _current(series)
        mine = Read.objects.filter(quantification__series=series, reader=by)
        drafts = mine.filter(state=Read.State.DRAFT)
        if draft := drafts.filter(quantification=run).first():
            return draft
        signed = mine.filter(state=Read.State.SIGNED, quantification=run, superseded_by=None)
        if signed.filter(ended_at=None).exists():
            audit.require_reason(reason)
        if not mine.filter(is_adjudication=False).exists():
            _require_asked_for(scan, by)
        earlier = drafts.order_by("-pk").first()
        last = earlier or mine.filter(superseded_by=None).order_by("pk").last()
        drafts.update(state=Read.State.OVERTAKEN)
        read = _begun(run, by, earlier, is_adjudication=adjudicating.is_to_read(scan, by))
        if earlier:
            response_answers.carry(earlier, read)
            recist_lesions.carry(earlier, read)
        if last:
            carrying.carry(last, read)
        return read


def decide(
    row: LesionRead,
    *,
    by: User,
    decision: str,
    organ: str = "",
    reason: str = "",
    region: str = "",
    positivity: str = Positivity.NOT_STATED,
) -> LesionRead:
    """Say what a region is: a lesion with its place, or not one, with the organ and why."""
    _require_own(row.read, by)
    said = _said(decision, organ=organ, reason=reason, region=region, positivity=positivity)
    opened = _opened_to_accept(row.read) if decision == Decision.ACCEPTED else None
    with _action("region.decided", _scan(row.read), by=by, reason=said["reason"] or "reading"):
        _require_draft(row.read)
        rows = selecting.rows_of(row.read)
        row = next(one for one in rows if one.pk == row.pk)
        if opened:
            voxels = growing.voxels_of(opened, row)
            overlaps.refuse(overlaps.with_lesions(opened, voxels, rows, but=row.number))
        for name, value in said.items():
            setattr(row, name, value)
        row.decided_at = None if decision == Decision.UNDECIDED else timezone.now()
        row.save(update_fields=[*SAID, "decided_at"])
    return row


def grow(
    read: Read,
    *,
    by: User,
    voxel: tuple[int, int, int],
    instead_of: int | None = None,
    method: Mapping[str, Any] | None = None,
) -> LesionRead:
    """Keep the region that a click takes in: as one more, or in place of an outline.

    `method` is that of a shape placed at the voxel instead, as `growing.preview` takes it.
    """
    _require_own(read, by)
    run = read.quantification
    found = growing.preview(run, voxel, method=method)
    opened = open_volumes.of_run(run)
    grown_mirror_images.look_ahead(run, opened)
    reach("region.measured")
    with _action("region.grown", _scan(read), by=by, reason="reading"):
        _require_draft(read)
        rows = selecting.rows_of(read)
        if instead_of is None and (kept := _kept_before(found, rows)):
            return kept
        overlaps.refuse(overlaps.with_lesions(opened, found.grown.flat, rows, but=instead_of))
        row = _row_for(read, instead_of)
        row.grown = GrownLesion.objects.create(read=read, **found.columns(opened))
        row.save()
        others = [one for one in rows if one.number != row.number]
        grown_mirror_images.look_for(row.grown, found.grown.flat, opened, others)
        reach("region.before-commit")
    reach("region.committed")
    return row


def _kept_before(found: growing.Preview, rows: Sequence[LesionRead]) -> LesionRead | None:
    """The very same region more, nothing said of it yet: sent again for want of an answer."""
    parameters = json.loads(json.dumps(dict(found.parameters)))
    for row in rows:
        is_more = row.lesion_id is None and row.decision == Decision.UNDECIDED
        grown = row.grown if is_more else None
        if grown and (grown.clicked_voxel, grown.parameters) == (list(found.voxel), parameters):
            return row
    return None


def accept_mirror_image(row: LesionRead, *, by: User) -> LesionRead:
    """Stand for the mirror image of a region that one grew: its ratio is no longer in doubt."""
    _require_own(row.read, by)
    with _action("region.mirror_accepted", _scan(row.read), by=by, reason="reading"):
        _require_draft(row.read)
        row = next(one for one in selecting.rows_of(row.read) if one.pk == row.pk)
        grown_mirror_images.accept(row)
    return row


def shared_by(run: Quantification, reader: User, found: growing.Preview) -> list[overlaps.Shared]:
    """The lesions of the reader's own draft that hold voxels of what a click takes in."""
    read = selecting.newest(run, reader)
    if read is None:
        return []
    opened = open_volumes.of_run(run)
    return overlaps.with_lesions(opened, found.grown.flat, selecting.rows_of(read))


def obstacles(read: Read) -> list[str]:
    """What stands in the way of a signature, a sentence each."""
    rows = selecting.rows_of(read)
    open_ones = [str(row.number) for row in rows if row.decision == Decision.UNDECIDED]
    sentences = []
    if not read.quantification.is_current:
        sentences.append("The series was measured again: go on with the new measurement.")
    if open_ones:
        sentences.append(f"Not decided yet: {', '.join(open_ones)}.")
    sentences += _counted_twice(read, rows)
    sentences += _mirror_images_touched(read, rows)
    sentences += recist_lesions.obstacles(read)
    if not rows:
        # That nothing is outlined yet is not that there is no lesion.
        waited_for = [one for one in read.quantification.flags if one in NOTHING_OUTLINED]
        sentences += [FLAGS[one] for one in waited_for]
    stated = any(row.positivity != Positivity.NOT_STATED for row in rows)
    if stated and not regions.stood_for(read.quantification).exists():
        sentences.append(
            "Visual positivity is stated against a reference region, and no reader has accepted "
            "one: accept or place it."
        )
    return sentences


def _counted_twice(read: Read, rows: Sequence[LesionRead]) -> list[str]:
    try:
        return overlaps.among(read, rows)
    except Refused as refusal:
        return [refusal.message]


def _mirror_images_touched(read: Read, rows: Sequence[LesionRead]) -> list[str]:
    if not any(one.accepted_at for one in grown_mirror_images.found_among(rows)):
        return []
    try:
        return grown_mirror_images.obstacles(open_volumes.of_run(read.quantification), rows)
    except Refused as refusal:
        return [refusal.message]


def _opened_to_accept(read: Read) -> open_volumes.OpenVolume | None:
    """The volume that shows whether two lesions share voxels, where regions can."""
    if not overlaps.may_share(read, read.lesion_reads.all()):
        return None
    return open_volumes.of_run(read.quantification)


def sign(read: Read, *, by: User, password: str) -> Signature:
    """Sign a read whose regions are all decided, and hand its findings to the trial."""
    _require_own(read, by)
    permissions.require(by, "read.sign", read)
    scan = _scan(read)
    with _action("read.signed", scan, by=by, reason=Signature.Meaning.READ.label):
        # No run may take its place, and nothing may be decided, until this transaction ends.
        Series.objects.select_for_update().get(pk=read.quantification.series_id)
        read = _require_draft(read)
        if found := obstacles(read):
            raise Refused("read-not-complete", " ".join(found))
        _require_still_asked_for(read, scan)
        earlier, ended = selecting.standing(read), set()
        read.signed_at = timezone.now()
        signature = signatures.sign(
            read,
            by=by,
            password=password,
            meaning=Signature.Meaning.READ,
            content=content_of(read),
        )
        if earlier:
            Read.objects.filter(pk=earlier.pk).update(superseded_by=read)
            ended = read_endings.end_of(earlier, because=read_endings.READ_AGAIN)
        read.state = Read.State.SIGNED
        read.save(update_fields=["state", "signed_at"])
        _hand_over(read, scan)
        read_counting.settle_after([scan], ended=ended)
        objects.follow_read(read, by=by)
        response_orders.order(scan, by=by)
    return signature


def is_as_signed(read: Read) -> bool:
    """Whether what is stored of a signed read is what was signed."""
    signature = signatures.of(read)
    return signature is not None and signature.content_sha256 == signatures.digest(content_of(read))


def content_of(read: Read) -> dict[str, Any]:
    """What is signed with a read."""
    run = read.quantification
    return {
        "reading": run.series.reading_identifier,
        "run": run.run,
        "input_sha256": run.input_sha256,
        "software_version": run.software_version,
        "parameters": run.parameters,
        "reference_regions": [
            {
                "kind": one.kind,
                "status": one.status,
                "centre_mm": one.centre_mm,
                "radius_mm": one.radius_mm,
                **({"mirror_image_of": one.lesion.number} if one.lesion else {}),
                "suvmean": one.suvmean,
                "suv_sd": one.suv_sd,
            }
            # As they were: another reader may have replaced one since.
            for one in regions.stood_for(run, at=read.signed_at)
        ],
        "regions": [_signed(row) for row in selecting.rows_of(read)],
        # Left out where there is none: reads signed before this was kept stay as signed.
        **({"not_carried": read.not_carried} if read.not_carried else {}),
        # A read that was asked nothing is signed as it was before there were questions.
        **({"response": answers} if (answers := response_answers.of(read)) else {}),
        **({"recist": on_ct} if (on_ct := recist_lesions.frozen(read)) else {}),
        **adrenals.signed(read),
    }


def _signed(row: LesionRead) -> dict[str, Any]:
    measured = row.measured
    return {
        "number": row.number,
        **{name: getattr(row, name) for name in SAID},
        "grown": row.grown.parameters | {"voxel": row.grown.clicked_voxel} if row.grown else None,
        "suvmax": measured.suvmax,
        "suvmean": measured.suvmean,
        "suvpeak": measured.suvpeak,
        "suvpeak_definition": measured.suvpeak_definition,
        "volume_ml": measured.volume_ml,
        "total_uptake": measured.total_uptake,
        "suvmax_voxel": measured.suvmax_voxel,
        **_signed_mirror_image(row),
    }


def _signed_mirror_image(row: LesionRead) -> dict[str, Any]:
    """That of a grown region which its reader stands for; left out where there is none."""
    image = grown_mirror_images.image_of(row)
    if image is None or image.accepted_at is None:
        return {}
    names = ("plane", "centre_mm", "voxel_count", "suvmean", "suv_sd")
    return {"mirror_image": {name: getattr(image, name) for name in names}}


def _hand_over(read: Read, scan: ScheduledScan) -> list[Finding]:
    """The findings of a signed read, of the scan and of each lesion."""
    run = read.quantification
    found = [row for row in selecting.rows_of(read) if row.decision == Decision.ACCEPTED]
    judging = positivity.judging(run)
    return findings.record(
        scan,
        [
            *_of_scan(read, found),
            *(one for row in found for one in _of_lesion(row)),
            *(_computed(read, found, judging) if judging else ()),
            *adrenals.results(read),
        ],
        source=read,
        by=read.reader,
        at=read.signed_at,
        run=run.run,
        software_version=run.software_version,
        role=Finding.Role.ADJUDICATOR if read.is_adjudication else Finding.Role.READER,
    )


def _of_scan(read: Read, found: Sequence[LesionRead]) -> list[Result]:
    totals = lesions.totals([row.measured for row in found])
    peaks = {row.measured.suvpeak_definition for row in found}
    numbers = {
        "LESNUM": totals.count,
        "VOLUME": totals.volume_ml,
        "UPTAKE": totals.total_uptake,
        "SUVMAX": totals.suvmax,
        "SUVPEAK": totals.hottest_suvpeak,
        "DMAX": totals.dmax_mm,
    }
    results = [
        Result(test, read, number=number) for test, number in numbers.items() if number is not None
    ]
    # A scan's highest SUVpeak is of the definition that all of its lesions share.
    results = [
        replace(one, method=", ".join(sorted(peaks))) if one.test == "SUVPEAK" else one
        for one in results
    ]
    return [*results, Result("VISPOS", read, text=visual_positivity(found))]


def _of_lesion(row: LesionRead) -> list[Result]:
    measured = row.measured
    of = {"of": row, "lesion": row.number, "location": row.region}
    return [
        Result("SUVMAX", number=measured.suvmax, **of),
        Result("SUVMEAN", number=measured.suvmean, **of),
        Result("SUVPEAK", number=measured.suvpeak, method=measured.suvpeak_definition, **of),
        Result("VOLUME", number=measured.volume_ml, **of),
        Result("UPTAKE", number=measured.total_uptake, **of),
        Result("VISPOS", text=row.positivity, **of),
    ]


def _computed(
    read: Read, found: Sequence[LesionRead], judging: positivity.Judging
) -> Iterator[Result]:
    """What the protocol's rule says, beside what the reader saw."""
    words = [judging.word(row.measured) for row in found]
    how = judging.words
    yield Result("CMPPOS", read, text=positivity.of_scan(words), method=how)
    for row, word in zip(found, words, strict=True):
        yield Result("CMPPOS", row, text=word, method=how, lesion=row.number, location=row.region)


def visual_positivity(found: Sequence[LesionRead]) -> str:
    """Of a scan, from its lesions: one above the reference makes it positive.

    Without a lesion it is negative; where none is above and one is not stated, it is not stated.
    """
    stated = {row.positivity for row in found}
    if Positivity.POSITIVE in stated:
        return Positivity.POSITIVE
    return Positivity.NOT_STATED if Positivity.NOT_STATED in stated else Positivity.NEGATIVE


def _said(decision: str, **said: str) -> dict[str, str]:
    """A decision and what belongs to it; what belongs to the other decision is left out."""
    _require_one_of("decision", decision, Decision.values)
    kept = {"accepted": ("region", "positivity"), "excluded": ("organ", "reason")}.get(decision, ())
    blank = dict.fromkeys(SAID, "") | {"positivity": Positivity.NOT_STATED}
    found = blank | {"decision": decision} | {name: said[name].strip() for name in kept}
    if decision == Decision.EXCLUDED:
        _require_one_of("organ", found["organ"], dict(reading_terms.ORGANS))
        audit.require_reason(found["reason"])
    if found["region"]:
        _require_one_of("region", found["region"], dict(reading_terms.REGIONS))
    _require_one_of("positivity", found["positivity"], Positivity.values)
    return found


def _require_one_of(field: str, value: str, known) -> None:
    if value not in known:
        raise Invalid(field, f"Choose one of: {', '.join(known)}.")


def _require_asked_for(scan: ScheduledScan, by: User) -> None:
    """Whether one more reader is to read: who settles a difference, or who makes up the number."""
    if adjudicating.is_to_read(scan, by):
        return
    if adjudicating.has_adjudicated(scan, by):
        raise Refused(
            "adjudicated-here", "You saw the reads of this series: you can't read it apart."
        )
    counted = counted_reads.of_scan(scan)
    if (
        scan.planned_scan.version.read_rule
        and counted
        and counted.basis != counted.Basis.AWAITING_READERS
    ):
        raise Refused("read-enough", "This series has the readers that the protocol asks for.")


def _require_still_asked_for(read: Read, scan: ScheduledScan) -> None:
    """Others may have made up the number of readers since the draft was opened."""
    # A read that ended counts for nothing, and neither does who signed it.
    stands = comparisons.standing_reads().filter(
        quantification__series=read.quantification.series_id, reader=read.reader
    )
    if not read.is_adjudication and not stands.exists():
        _require_asked_for(scan, read.reader)


def _begun(run: Quantification, by: User, earlier: Read | None, *, is_adjudication: bool) -> Read:
    """A draft with a row for each region of the run."""
    read = Read.objects.create(quantification=run, reader=by, is_adjudication=is_adjudication)
    rows = selecting.rows_of(earlier) if earlier else []
    # What was said of a region that was grown in its place was not said of the outline.
    said = {outline_of(row.lesion): row for row in rows if row.grown is None}
    LesionRead.objects.bulk_create(
        _row(read, lesion, said.get(outline_of(lesion))) for lesion in run.lesions.all()
    )
    return read


def _row(read: Read, lesion, earlier: LesionRead | None) -> LesionRead:
    names = (*SAID, "decided_at") if earlier else ()
    taken = {name: getattr(earlier, name) for name in names}
    return LesionRead(read=read, lesion=lesion, number=lesion.number, **taken)


def _row_for(read: Read, number: int | None) -> LesionRead:
    """The row of a region that is grown anew, or one after the last."""
    rows = read.lesion_reads.select_for_update(of=("self",))
    if number is not None:
        if row := rows.filter(number=number).first():
            carrying.unsay(row)
            return row
        raise Invalid("instead_of", f"This read has no region {number}.")
    return LesionRead(read=read, number=selecting.next_number(read))


def _current(series: Series) -> Quantification:
    run = series.quantifications.filter(~Q(suvmax=None), is_current=True).first()
    if run is None:
        raise Refused("no-current-suv", "This series has no current SUV to read.")
    return run


def _require_own(read: Read, by: User) -> None:
    permissions.require(by, "read.edit", read)
    if read.reader_id != by.pk:
        raise Refused("not-your-read", "A read is changed and signed by its own reader alone.")


def _require_draft(read: Read) -> Read:
    """The read as it is now, held; raises if it was signed or overtaken. Inside an action."""
    held = Read.objects.select_for_update(of=("self",)).get(pk=read.pk)
    if held.state == Read.State.SIGNED and (why := selecting.ended(held)):
        raise Refused("read-ended", why)
    if held.state == Read.State.SIGNED:
        raise Refused("read-signed", "This read is signed. To change it, read the series again.")
    if held.state == Read.State.OVERTAKEN or not held.quantification.is_current:
        raise Refused(
            "measured-again",
            "This series was measured again: go on with the new measurement. What you decided is "
            "taken over where a region is still the same.",
        )
    return held


def _scan(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan


def _action(name: str, scan: ScheduledScan, *, by: User, reason: str):
    return audit.action(
        name, actor=by, reason=reason, trial=scan.patient.trial_id, patient=scan.patient_id
    )
