"""The parsing process: the only place where bytes that a site sent are parsed.

One child serves many files. It is locked in (`imaging.confinement`), and killed from outside
when a file takes too long or the answer is not what was agreed: a limit inside a process that
hostile bytes may have taken over is no limit. A file that ends its child is rejected, and the
next file gets a new child. Without the lock there is no child: `ParserUnavailableError`.

The child is killed when the thread that started it ends: use it from one that stays. For several
children that stay from job to job see `imaging.services.parsing`.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO

from imaging import acceptance, confinement
from imaging.deidentification import DeidentificationPolicy
from imaging.file_evidence import Evidence
from imaging.headers import PetHeader, SliceHeader
from imaging.pixels import Place, confirmed
from imaging.services.forking import START_SECONDS, Child, ForkError, Template

FILE_SECONDS = 10.0
# A child is replaced long before it can reach its limit of processor time by honest work.
BUSY_SECONDS = confinement.CPU_SECONDS / 2
MAXIMUM_HEADER_BYTES = 2**20
MAXIMUM_BODY_BYTES = 80 * 2**20

_FRAME = struct.Struct(">II")
_VERDICTS = {acceptance.ACCEPTED, acceptance.QUARANTINED, acceptance.REJECTED}


class ParserError(Exception):
    """The parsing process gave no answer; the sentence says why."""

    code = "parser-failed"


class ParserUnavailableError(Exception):
    """There is no parsing process, by no fault of any file: the job is to be done again."""


class ParserDiedError(ParserError):
    """The file ended the process that read it."""

    code = "parser-died"


class ParserTimeoutError(ParserError):
    """The file took longer than a file may take."""

    code = "parser-timeout"


class IdentifierFoundError(ParserError):
    """Something that names somebody in the original stands in what was written."""

    code = acceptance.NOT_DEIDENTIFIABLE.code


@dataclass(frozen=True)
class Inspection:
    """A verdict on one file: accepted, quarantined or rejected, why, and facts of its header."""

    verdict: str
    code: str = ""
    message: str = ""
    facts: dict = field(default_factory=dict)


@dataclass(frozen=True)
class DeidentifiedFile:
    """A file written anew: its bytes, its header (`to_json`), and what became of each tag.

    `evidence` is of the file before and after: the original's header is in it, so it is not kept.
    """

    dicom: bytes
    header: dict
    report: dict
    evidence: Evidence
    # Of an image; regions that were drawn on images are read whole.
    pixels: Place | None


class Parser:
    """A running parsing process.

    with Parser() as parser:
        inspection = parser.inspect(data)
    """

    def __init__(
        self, template: Template | None = None, *, file_seconds: float = FILE_SECONDS
    ) -> None:
        self._template = template or Template()
        self._is_own = template is None
        self._file_seconds = file_seconds
        self._child: Child | None = None
        self._busy = 0.0

    def __enter__(self) -> Parser:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        if self._is_own:
            self._template.end()

    @property
    def pid(self) -> int | None:
        """Number of the process that now serves, if one does."""
        return self._child.pid if self._child else None

    def inspect(self, data: bytes) -> Inspection:
        """Verdict on one file. A file that breaks the process is rejected for it."""
        try:
            answer, _ = self._ask({"act": "inspect"}, data)
        except (ParserDiedError, ParserTimeoutError) as error:
            return Inspection(acceptance.REJECTED, error.code, str(error))
        return _inspection(answer)

    def examine(
        self, data: bytes, policy: DeidentificationPolicy
    ) -> tuple[Inspection, DeidentifiedFile | None]:
        """Verdict on one file, and the file written anew under `policy` if it is accepted.

        Where it can't be written under this policy the verdict stands alone.
        """
        try:
            answer, written = self._ask({"act": "examine", "policy": _told(policy)}, data)
            made = _deidentified(answer["made"], written, data) if "made" in answer else None
        except (ParserDiedError, ParserTimeoutError) as error:
            return Inspection(acceptance.REJECTED, error.code, str(error)), None
        inspection = _inspection(answer)
        return inspection, made if inspection.verdict == acceptance.ACCEPTED else None

    def deidentify(self, data: bytes, policy: DeidentificationPolicy) -> DeidentifiedFile:
        """The file written anew under `policy`; ParserError, and nothing, if anything fails."""
        answer, written = self._ask({"act": "deidentify", "policy": _told(policy)}, data)
        if "error" in answer:
            found = answer.get("code") == IdentifierFoundError.code
            raise (IdentifierFoundError if found else ParserError)(str(answer["error"])[:500])
        return _deidentified(answer, written, data)

    def _ask(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        if self._busy > BUSY_SECONDS:
            self.end()
        self.start()
        begun = time.monotonic()
        try:
            return self._exchange(request, data, seconds=self._file_seconds)
        finally:
            self._busy += time.monotonic() - begun

    def _exchange(
        self, request: dict[str, Any] | None, data: bytes, *, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request, if any, and read the answer; no later than `seconds` from now."""
        child, until = self._child, time.monotonic() + seconds
        try:
            if request is not None:
                _write(child, request, data, until)
            return _read(child, until)
        except TimeoutError as error:
            self.end()
            raise ParserTimeoutError(_TIMEOUT) from error
        except (OSError, ValueError, RecursionError, struct.error) as error:
            failure: Exception = ParserDiedError(_DIED)
            if child.is_orphan():
                failure = ParserUnavailableError("The parsing process ended with its template.")
            self.end()
            raise failure from error

    def start(self) -> None:
        """Have a process that serves, unless one does; the first file starts it otherwise."""
        if self._child is not None and self._child.is_alive():
            return
        self.end()
        self._busy = 0.0
        try:
            self._child = self._template.fork()
            answer, _ = self._exchange(None, b"", seconds=START_SECONDS)
        except (ForkError, ParserError) as error:
            raise ParserUnavailableError("The parsing process did not start.") from error
        if "ready" not in answer:
            self.end()
            raise ParserUnavailableError(
                f"The parsing process refused to start: {answer.get('refused')}"
            )

    def end(self) -> None:
        """Kill the process; nothing of it is left."""
        child, self._child = self._child, None
        if child is not None:
            child.end()


_DIED = (
    "Reading this file ended the parsing process. It is damaged or made to harm; export it "
    "again from the scanner or archive."
)
_TIMEOUT = (
    "Reading this file took too long. It is damaged or made to harm; export it again from the "
    "scanner or archive."
)


def _write(child: Child, request: dict[str, Any], data: bytes, until: float) -> None:
    encoded = json.dumps(request).encode()
    for part in (_FRAME.pack(len(encoded), len(data)) + encoded, data):
        rest = memoryview(part)
        while rest:
            _wait(child.stdin, select.POLLOUT, until)
            rest = rest[os.write(child.stdin.fileno(), rest) :]


def _read(child: Child, until: float) -> tuple[dict[str, Any], bytes]:
    header, body = _FRAME.unpack(_received(child, _FRAME.size, until))
    if header > MAXIMUM_HEADER_BYTES or body > MAXIMUM_BODY_BYTES:
        raise ValueError("the answer is longer than any we know")
    encoded, written = (_received(child, size, until) for size in (header, body))
    answer = json.loads(encoded)
    if not isinstance(answer, dict):
        raise ValueError("the answer is none")
    return answer, written


def _received(child: Child, size: int, until: float) -> bytes:
    pieces = []
    while size:
        _wait(child.stdout, select.POLLIN, until)
        piece = os.read(child.stdout.fileno(), size)
        if not piece:
            raise ValueError("the answer is not whole")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _wait(pipe: BinaryIO, event: int, until: float) -> None:
    """Until the pipe takes or gives something, or the other end of it is gone."""
    waiting = select.poll()
    waiting.register(pipe, event)
    if not waiting.poll(max(0, until - time.monotonic()) * 1000):
        raise TimeoutError


def _told(policy: DeidentificationPolicy) -> dict[str, Any]:
    return vars(policy) | {"uid_key": policy.uid_key.hex()}


def _deidentified(answer: Any, written: bytes, original: bytes) -> DeidentifiedFile:
    """What was written anew, held to its form: the child that gave it is not trusted."""
    try:
        written = _whole(written, original, answer["taken"])
        header, report = answer["header"], answer["report"]
        # What is proved of the header is proved of the one that is kept.
        evidence = Evidence.from_json(answer["evidence"] | {"after": header})
        place = _place(answer["pixels"], written, header)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ParserDiedError(_DIED) from error
    if not (isinstance(report, dict) and written):
        raise ParserDiedError(_DIED)
    return DeidentifiedFile(written, header, report, evidence, place)


def _whole(written: bytes, original: bytes, taken: Any) -> bytes:
    """What was written, with the pixel values that it has of the original, which we have."""
    if taken is None:
        return written
    start, length, at = map(int, taken)
    if min(start, length, at) < 0 or start + length > len(original) or at > len(written):
        raise ValueError("what is said to be of the original is not")
    values = memoryview(original)[start : start + length]
    return b"".join((written[:at], values, written[at:]))


def _place(said: Any, written: bytes, header: dict[str, Any]) -> Place | None:
    """Where the child says the pixels lie, looked up in what it wrote; of regions nowhere."""
    if header["modality"] not in {"PT", "CT"}:
        return None
    read = PetHeader if header["modality"] == "PT" else SliceHeader
    offset, length = map(int, said)
    known = read.from_json(header)
    return confirmed(Place(known.transfer_syntax_uid, offset, length), written, known)


def _inspection(answer: dict[str, Any]) -> Inspection:
    """The verdict in an answer, held to its form: the child that gave it is not trusted."""
    verdict, facts = answer.get("verdict"), answer.get("facts")
    code, message = str(answer.get("code", ""))[:60], str(answer.get("message", ""))[:500]
    if verdict not in _VERDICTS or not isinstance(facts, dict):
        return Inspection(acceptance.REJECTED, ParserDiedError.code, _DIED)
    return Inspection(verdict, code, message, {str(k): str(v) for k, v in facts.items()})
