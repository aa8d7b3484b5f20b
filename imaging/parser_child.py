"""The child process that parses what a site sent, locked in before it sees a byte of it.

A template, started by `imaging.services.forking`, loads everything that is ever needed by a
rehearsal on an image of its own, and forks a child whenever it is asked. The child closes the
doors (see `imaging.confinement`), and only then does it say that it is ready. It reads requests
from standard input and answers on standard output, each a frame: two lengths, a JSON object,
bytes.

An exception's own text is never passed on: it may quote a name, and for nested sequences
pydicom's grows to gigabytes.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from pydicom import charset, dcmread, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    RLELossless,
)

from imaging import acceptance, confinement, process_memory
from imaging.acceptance import Verdict
from imaging.alike import Answer, Patterns
from imaging.deidentification import (
    DeidentificationPolicy,
    deidentify,
    written_on_purpose,
)
from imaging.elements import PIXEL_DATA, after_meta, excess
from imaging.encoding import file_of, value_of
from imaging.file_evidence import evidence_of
from imaging.headers import ObjectHeader, SliceHeader, header_of
from imaging.identifiers import residue
from imaging.meanings import as_read, note_as_read
from imaging.pixels import Place, place_of
from imaging.plain_files import plain_file, plain_meta

FRAME = struct.Struct(">II")
PREAMBLE = 128
# What inspection tries de-identification with, so that what is accepted can be released.
REHEARSAL = DeidentificationPolicy(b"rehearsal", -1, "TRIAL", "SITE", "SUBJECT")

# Of this process, which serves one transmittal.
PATTERNS = Patterns()

Json = dict[str, Any]


class RefusedError(Exception):
    """A file that goes no further; its verdict says why and quotes no value."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


def main() -> None:
    """Wait for the process whose number is the first argument to ask for children of ours."""
    confinement.die_with(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    process_memory.keep()
    rehearse()
    # The kernel collects children that have ended, and the collector of garbage leaves alone what
    # they share.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    process_memory.settle()
    control, template = socket.socket(fileno=sys.stdin.fileno()), os.getpid()
    while pipes := asked(control):
        child = forked()
        if child == 0:
            control.detach()
            become(pipes, template)
            return
        for pipe in pipes:
            os.close(pipe)
        tell(control, child)


def forked() -> int | None:
    """As fork; None where there is no room for a process, so that the others go on."""
    try:
        return os.fork()
    except OSError:
        return None


def tell(control: socket.socket, child: int | None) -> None:
    """The number of a child with its descriptor; without one where there is none, or no more."""
    try:
        known = [os.pidfd_open(child)] if child else []
    except OSError:
        known = []
    socket.send_fds(control, [str(child or 0).encode()], known)
    for one in known:
        os.close(one)


def asked(control: socket.socket) -> list[int]:
    """The two pipes of a child that is wanted; none where nobody asks any more."""
    _, pipes, _, _ = socket.recv_fds(control, 4, 2)
    return pipes


def become(pipes: list[int], template: int) -> None:
    """Serve one pipe and answer on the other until it is closed, locked in."""
    confinement.die_with(template)
    for place, pipe in enumerate(pipes):
        os.dup2(pipe, place)
    try:
        confinement.confine()
    except confinement.ConfinementError as error:
        send({"refused": str(error)})
        return
    send({"ready": True})
    for request, data in requests():
        send(*without_known(*answer(request, data)))


def requests() -> Iterator[tuple[Json, bytes]]:
    while len(lengths := sys.stdin.buffer.read(FRAME.size)) == FRAME.size:
        header, body = FRAME.unpack(lengths)
        yield json.loads(sys.stdin.buffer.read(header)), sys.stdin.buffer.read(body)


def without_known(told: Json, written: bytes) -> tuple[Json, bytes]:
    """What was made without what whoever asked has of it already.

    The values that it has of the file that was sent (see `taken`), and the header once more, which
    is the evidence of the file after: a fifth of what is told.
    """
    made = told.get("made", told)
    if "evidence" in made:
        before = {name: value for name, value in made["evidence"].items() if name != "after"}
        made = made | {"evidence": before}
        told = told | {"made": made} if "made" in told else made
    _, length, at = made.get("taken") or (0, 0, 0)
    return told, written[:at] + written[at + length :] if length else written


def send(header: Json, body: bytes = b"") -> None:
    encoded = json.dumps(header).encode()
    for part in (FRAME.pack(len(encoded), len(body)), encoded, body):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def answer(request: Json, data: bytes) -> tuple[Json, bytes]:
    """What was asked, or a refusal; whatever `data` makes the parser raise ends here."""
    try:
        if request["act"] == "inspect":
            return looked_into(data), b""
        told = request["policy"] | {"uid_key": bytes.fromhex(request["policy"]["uid_key"])}
        policy = DeidentificationPolicy(**told)
        if request["act"] == "examine":
            return examined(data, policy)
        return remade(data, policy)
    except RefusedError as error:
        return {"error": error.verdict.message, "code": error.verdict.code}, b""
    # pydicom raises nine kinds of exception on broken files, and more will come.
    except Exception as error:
        return {"error": f"The file could not be read ({type(error).__name__})."}, b""


def looked_into(data: bytes, patterns: Patterns = PATTERNS) -> Json:
    """Verdict on one file, by the pattern of one that it resembles if there is one."""
    if alike := made_alike(data, REHEARSAL, patterns):
        return {name: told for name, told in alike[0].items() if name != "made"}
    verdict = inspect(data)
    if verdict.verdict == acceptance.ACCEPTED and patterns.is_learning:
        learn_of(data, REHEARSAL, verdict, patterns)
    return as_json(verdict)


def remade(data: bytes, policy: DeidentificationPolicy, patterns: Patterns = PATTERNS) -> Answer:
    """One file written anew, whatever the verdict on it was."""
    if alike := made_alike(data, policy, patterns):
        return alike[0]["made"], alike[1]
    image = parsed(data)
    made = deidentified(image, policy)
    if patterns.is_learning:
        learn_of(data, policy, acceptance.verdict_on(image), patterns)
    return made


def learn_of(
    data: bytes, policy: DeidentificationPolicy, verdict: Verdict, patterns: Patterns
) -> None:
    """Make an image once more, for a pattern of it; nothing rests on whether that can be done."""
    if verdict.verdict != acceptance.ACCEPTED:
        return
    with suppress(Exception):
        image = parsed(data)
        made, written = deidentified(image, policy)
        patterns.learn(data, image, policy, (as_json(verdict) | {"made": made}, written))


def inspect(data: bytes) -> Verdict:
    """Verdict on the bytes of one file."""
    try:
        image = parsed(data)
        verdict = acceptance.verdict_on(image)
        if verdict.verdict != acceptance.REJECTED:
            rewritten(image, REHEARSAL)
        return verdict
    except RefusedError as error:
        return error.verdict
    except Exception:
        return acceptance.NOT_READABLE


def examined(data: bytes, policy: DeidentificationPolicy, patterns: Patterns = PATTERNS) -> Answer:
    """Verdict on the bytes of one file; of an accepted one also what is made of it.

    What can't be made under `policy` gets the verdict that it gets under any: whatever it is,
    release will meet it too, and say so.
    """
    if answer := made_alike(data, policy, patterns):
        return answer
    try:
        image = parsed(data)
        verdict = acceptance.verdict_on(image)
        if verdict.verdict == acceptance.ACCEPTED:
            made, written = deidentified(image, policy)
            answer = as_json(verdict) | {"made": made}, written
            learn(data, image, policy, answer, patterns)
            return answer
    except Exception:
        return as_json(inspect(data)), b""
    return as_json(inspect(data)), b""


def made_alike(data: bytes, policy: DeidentificationPolicy, patterns: Patterns) -> Answer | None:
    """What is made of a file that resembles one before; None where that can't be told."""
    try:
        return patterns.made(data, policy)
    except Exception:
        return None


def learn(
    data: bytes, image: Dataset, policy: DeidentificationPolicy, made: Answer, patterns: Patterns
) -> None:
    """Learn for those that resemble it; where that can't be done, each is made by itself."""
    with suppress(Exception):
        patterns.learn(data, image, policy, made)


def parsed(data: bytes) -> Dataset:
    """The image, unless its first bytes say that it is none or is packed in a strange way."""
    if data[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise RefusedError(acceptance.NOT_DICOM)
    plain = plain_meta(data)
    meta = plain[0] if plain else file_meta(data)
    syntax = str(meta.get("TransferSyntaxUID", ""))
    refusal = acceptance.verdict_on_encoding(syntax)
    if refusal:
        raise RefusedError(refusal)
    beyond = excess(
        data,
        start=plain[1] if plain else after_meta(data),
        explicit=syntax != ImplicitVRLittleEndian,
        order=">" if syntax == ExplicitVRBigEndian else "<",
        most=acceptance.most_elements(str(meta.get("MediaStorageSOPClassUID", ""))),
    )
    if beyond:
        raise RefusedError(acceptance.TOO_MUCH[beyond])
    found = plain_file(data, plain) if plain else None
    return found or noted(dcmread(io.BytesIO(data)))


def noted(image: Dataset) -> Dataset:
    """The image, which stays known as it was read when its values are asked for."""
    note_as_read(image, as_read(image))
    return image


def read(written: bytes) -> Dataset:
    """What was written, read again: of its bytes alone, by no part of what wrote it."""
    return plain_file(written) or dcmread(io.BytesIO(written))


def file_meta(data: bytes) -> Dataset:
    """The file meta information, read without touching what follows it."""
    file = io.BytesIO(data)
    file.seek(PREAMBLE + 4)
    return read_dataset(
        file,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _representation, _length: tag.group != 2,
    )


def rewritten(image: Dataset, policy: DeidentificationPolicy) -> tuple[ObjectHeader, Json, bytes]:
    """Header and report of the de-identified image, and its bytes, none of them copied.

    The header is read from what was written, so the record says what the archive holds.
    """
    report, written = anonymous(image, policy)
    return header_of(read(written)), report, written


def anonymous(image: Dataset, policy: DeidentificationPolicy) -> tuple[Json, bytes]:
    """Report of the de-identified image, and its bytes, in which nothing known stands."""
    result = deidentify(image, policy)
    written = file_of(result.elements)
    pixels = value_of(result.elements, PIXEL_DATA)
    header, ours = written[: len(written) - len(pixels)], written_on_purpose(policy)
    if residue(header, pixels, result.known, ours=ours):
        raise RefusedError(acceptance.NOT_DEIDENTIFIABLE)
    return result.report, written


def deidentified(image: Dataset, policy: DeidentificationPolicy) -> tuple[Json, bytes]:
    """The image written anew, and what of it proves that it is the same and names nobody."""
    report, written = anonymous(image, policy)
    again = read(written)
    header = header_of(again)
    place = place_of(written, header) if isinstance(header, SliceHeader) else None
    told = header.to_json()
    days = policy.date_shift_days
    evidence = evidence_of(image, written, header=told, date_shift_days=days, again=again)
    return {
        "header": told,
        "report": report,
        "taken": taken(image, written, place) if place else None,
        "evidence": evidence.to_json(),
        "pixels": [place.offset, place.length] if place else None,
    }, written


def taken(image: Dataset, written: bytes, place: Place) -> tuple[int, int, int] | None:
    """Where pixel values that are the same lie in the original, how many bytes, and where now.

    They are most of a file, and whoever sent it need not be sent them back.
    """
    before = as_read(image).get(PIXEL_DATA)
    if not isinstance(before, RawDataElement) or before.length != place.length:
        return None
    # Views of bytes are compared byte by byte, at a hundred times the cost of this.
    value = before.value
    if not isinstance(value, bytes) or not written.startswith(value, place.offset):
        return None
    return before.value_tell, place.length, place.offset


def encoded(ds: Dataset) -> bytes:
    file = io.BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


def as_json(verdict: Verdict) -> Json:
    return {
        "verdict": verdict.verdict,
        "code": verdict.code,
        "message": verdict.message,
        "facts": dict(verdict.facts),
    }


def rehearse() -> None:
    """Inspect an image of our own, compressed, so that nothing is left to be imported."""
    for names in charset.python_encoding.values():
        codecs.lookup(names)
    data = encoded(_own_image())
    if inspect(data).verdict != acceptance.ACCEPTED:
        os._exit(1)
    deidentified(parsed(data), REHEARSAL)


def _own_image() -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID, ds.Modality = PositronEmissionTomographyImageStorage, "PT"
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID = "1.2.3.4", "1.2.3", "1.2"
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", "Müller"
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SeriesDate, ds.PatientWeight = "20240301", "70.5"
    ds.compress(RLELossless, np.zeros((4, 4), np.uint16), encoding_plugin="pydicom")
    return ds


if __name__ == "__main__":
    main()
