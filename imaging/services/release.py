"""Release: de-identify what was accepted, prove it, and write the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from imaging import process_memory, storage
from imaging.models import (
    DeidentificationProof,
    ImagingStudy,
    Instance,
    ReceivedFile,
    Series,
    Transmittal,
)
from imaging.proofs import Proof
from imaging.services import clearing, ledger, preparing, proving
from imaging.services.parser import IdentifierFoundError, Parser, ParserError
from imaging.services.parsing import parsers
from imaging.services.preparing import Made, Making
from imaging.services.second_parser import Dumps
from imaging.storage import Content
from trials.services import audit, jobs
from trials.services.fault_points import reach

FileState = ReceivedFile.State
State = Transmittal.State
# Files that wait for the disk together.
BATCH = 100
BATCHES_AT_ONCE = 2
# Of each series, by its UID.
Proofs = dict[str, list[Proof]]
TWICE = (
    "Two files with other content say that they are the same image, so nothing was released. "
    "Refuse this transmittal, and have the site send the images that count."
)
TWO_MODALITIES = (
    "PET and CT images carry the same Series Instance UID, so nothing was released: they are no "
    "one series. Refuse this transmittal, and have the site export each as a series of its own."
)
GONE = {
    Series.DESTROYED: "Images of this series were destroyed on the patient's wish: what comes "
    "later of it is not kept either. Refuse this transmittal.",
    Series.OF_ANOTHER: "This series was removed as images of another person. Refuse this "
    "transmittal; what is of this patient the site exports again under a new Series Instance UID.",
}


class _HeldError(Exception):
    """Why a person has to look: a code and a sentence."""


@dataclass(frozen=True)
class Released:
    """A de-identified file, on its way into the archive or there, before the record knows it."""

    file: ReceivedFile
    made: Made

    @property
    def sha256(self) -> str:
        return self.made.sha256

    @property
    def header(self) -> dict:
        return self.made.header

    @property
    def series(self) -> str:
        return self.header["series_instance_uid"]


def release(claim: jobs.Claim) -> None:
    """De-identify each accepted file and prove each series; any failure releases nothing."""
    transmittal = ledger.load(claim)
    if transmittal.state != State.INSPECTED:
        ledger.nothing_to_do(claim)
        return
    process_memory.give_back()
    making = preparing.making_for(transmittal)
    files = list(transmittal.files.filter(state=FileState.ACCEPTED))
    released: list[Released] = []
    try:
        with Dumps() as dumps, ThreadPoolExecutor(1, "proofs") as beside:
            with clearing.into_archive(claim):
                _deidentify(claim, transmittal, files, making, released, dumps)
            if _has_doubles(transmittal, released):
                raise _HeldError("image-twice", TWICE)
            if _has_two_modalities(released):
                raise _HeldError("two-modalities", TWO_MODALITIES)
            written = [
                proving.Written(item.series, item.sha256, item.made.evidence) for item in released
            ]
            # They take one processor while the database, which writes the rows, takes another.
            proofs = beside.submit(proving.prove, written, dumps)
            _keep(claim, transmittal, files, released, proofs)
    except (_HeldError, ParserError, proving.ProofFailedError) as error:
        code, message = _why(error)
        _hold(claim, transmittal, released, code=code, message=message)


def _keep(
    claim: jobs.Claim,
    transmittal: Transmittal,
    files: list[ReceivedFile],
    released: list[Released],
    proofs: Future[Proofs],
) -> None:
    """Put it on record, if all proofs hold: nothing of it stands before they were made."""
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.released",
            actor=jobs.system_user(),
            reason="de-identified",
            **ledger.about(transmittal),
        ),
    ):
        if not _is_awaited(transmittal):
            _forget(released)
            return
        series = _record(transmittal, released)
        transmittal.files.filter(pk__in=[file.pk for file in files]).update(
            state=FileState.RELEASED
        )
        for uid, made in proofs.result().items():
            proving.keep(made, series[uid], transmittal)
        reach("release.proofs-made")
        ledger.move(transmittal, State.RELEASED)
        clearing.order(transmittal, actor=claim.actor)
        jobs.enqueue(
            "imaging.assemble", actor=claim.actor, on=transmittal, transmittal=transmittal.pk
        )
        reach("release.before-commit")
    reach("release.committed")


def _is_awaited(transmittal: Transmittal) -> bool:
    """Whether it is still to be released: the patient's images may have been destroyed meanwhile.

    Until this transaction ends none are, nor is anything cleared.
    """
    clearing.keep_off()
    return Transmittal.objects.select_for_update().get(pk=transmittal.pk).state == State.INSPECTED


def _deidentify(
    claim: jobs.Claim,
    transmittal: Transmittal,
    files: list[ReceivedFile],
    making: Making,
    released: list[Released],
    dumps: Dumps,
) -> None:
    """Write each file into the archive, and what it is into `released`, which grows with it.

    What lies ready is moved there while the next of it are looked up, and `dumps` reads it
    meanwhile. The rest is made anew, one file after another, for each may be large.
    """
    progress = ledger.Progress(claim, "De-identifying", len(files))
    rest = list[ReceivedFile]()
    with closing(_moved(transmittal, files, making, released, dumps)) as moved:
        for waiting in moved:
            rest += waiting
            progress.say(len(released))

    def made(parser: Parser, file: ReceivedFile) -> tuple[Made, Content]:
        return preparing.made_now(parser, file, making)

    with closing(parsers().each(transmittal.pk, made, rest)) as results:
        for some in _batches(rest):
            _archive(
                (
                    (Released(one, result), content)
                    for one, (result, content) in zip(some, results, strict=False)
                ),
                released,
                dumps,
            )
            progress.say(len(released))
    # As they came, whatever was ready of them.
    released.sort(key=lambda item: item.file.position)


def _moved(
    transmittal: Transmittal,
    files: list[ReceivedFile],
    making: Making,
    released: list[Released],
    dumps: Dumps,
) -> Iterator[list[ReceivedFile]]:
    """Move what lies ready into the archive, batch by batch; the files of which nothing does."""
    ready = preparing.Ready(transmittal, making)
    # While one batch waits for the disk the next one is moved.
    with ThreadPoolExecutor(BATCHES_AT_ONCE, "archive") as beside:
        batches = []
        for some in _batches(files):
            found = [(file, ready.of(file)) for file in some]
            kept = [(Released(file, one[0]), one[1]) for file, one in found if one]
            if kept:
                batches.append(beside.submit(_archive, kept, released, dumps))
            yield [file for file, one in found if one is None]
        for one in batches:
            one.result()


def _archive(
    items: Iterable[tuple[Released, Content]], released: list[Released], dumps: Dumps
) -> None:
    """Write a batch into the archive, and let the second parser begin to read it there."""
    series: dict[str, list[str]] = {}

    def contents() -> Iterator[Content]:
        for item, content in items:
            released.append(item)
            series.setdefault(item.series, []).append(item.sha256)
            reach("release.file-deidentified")
            yield content

    storage.archive.write_all(contents())
    reach("release.batch-written")
    for uid, digests in series.items():
        dumps.begin(uid, [storage.archive.path(one) for one in digests])


def _batches(files: list[ReceivedFile]) -> Iterator[list[ReceivedFile]]:
    return (files[start : start + BATCH] for start in range(0, len(files), BATCH))


def _has_doubles(transmittal: Transmittal, released: list[Released]) -> bool:
    """Whether two files, sent now or before, say that they are the same image."""
    uids = [item.header["sop_instance_uid"] for item in released]
    before = Instance.objects.filter(
        series__imaging_study__scheduled_scan=transmittal.scheduled_scan_id,
        sop_instance_uid__in=uids,
    )
    return len(set(uids)) < len(uids) or before.exists()


def _has_two_modalities(released: list[Released]) -> bool:
    """Whether a series has images of PET and of CT."""
    pairs = {(item.series, item.header["modality"]) for item in released}
    return len(pairs) > len({item.series for item in released})


def _hold(
    claim: jobs.Claim,
    transmittal: Transmittal,
    released: list[Released],
    *,
    code: str,
    message: str,
) -> None:
    """What can't be released stays as a whole, and leaves the archive: a person looks."""
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.held",
            actor=jobs.system_user(),
            reason=code,
            **ledger.about(transmittal),
        ),
    ):
        if _is_awaited(transmittal):
            transmittal.files.filter(state=FileState.ACCEPTED).update(
                state=FileState.QUARANTINED, code=code, message=message
            )
            ledger.move(transmittal, State.QUARANTINED, code=code, message=message)
        # Before that is certain: killed in between, the job is done again. Once it is done,
        # nobody would look for what lies there.
        _forget(released)


def _why(error: Exception) -> tuple[str, str]:
    """Code and sentence for the ledger."""
    if isinstance(error, _HeldError):
        return error.args
    if isinstance(error, IdentifierFoundError):
        label = DeidentificationProof.Kind.IDENTIFIERS.label
        error = proving.ProofFailedError(f"The proof “{label}” does not hold. {error}")
    if isinstance(error, proving.ProofFailedError):
        return error.code, f"Nothing was released. {error}"
    return "deidentification-failed", f"De-identification stopped, nothing was released: {error}"


def _forget(released: list[Released]) -> None:
    """Take out of the archive again what no record names."""
    digests = {item.sha256 for item in released}
    named = Instance.objects.filter(sha256__in=digests).values_list("sha256", flat=True)
    for digest in digests - set(named):
        storage.archive.remove(digest)


def _record(transmittal: Transmittal, released: list[Released]) -> dict[str, Series]:
    """Write a row for each image; the series by their UIDs."""
    series: dict[str, Series] = {}
    for item in released:
        if item.series not in series:
            series[item.series] = _series(transmittal, item.header)
    ledger.add_instances(
        [
            Instance(
                series=series[item.series],
                received_file=item.file,
                sop_instance_uid=item.header["sop_instance_uid"],
                sha256=item.sha256,
                size=item.made.size,
                transfer_syntax=item.header["transfer_syntax_uid"],
                pixel_offset=item.made.pixels and item.made.pixels.offset,
                pixel_length=item.made.pixels and item.made.pixels.length,
                header=item.header,
                deidentification=item.made.report,
            )
            for item in released
        ]
    )
    return series


def _series(transmittal: Transmittal, header: dict) -> Series:
    study, _ = ImagingStudy.objects.get_or_create(
        scheduled_scan=transmittal.scheduled_scan,
        study_instance_uid=header["study_instance_uid"],
    )
    series, is_new = Series.objects.select_for_update().get_or_create(
        imaging_study=study,
        series_instance_uid=header["series_instance_uid"],
        defaults={"transmittal": transmittal, "modality": header["modality"]},
    )
    if series.code in Series.GONE:
        raise _HeldError(series.code, GONE[series.code])
    if series.modality != header["modality"]:
        raise _HeldError("two-modalities", TWO_MODALITIES)
    if not is_new:
        # Images that come later make it another series: it is assembled and measured again.
        series.state, series.code, series.message = Series.State.RELEASED, "", ""
        series.save(update_fields=["state", "code", "message"])
    return series
