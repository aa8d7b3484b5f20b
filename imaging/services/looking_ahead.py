"""Looking ahead: files are looked into while others of their transmittal still come.

A worker that would wait for the last file puts the verdicts on those before it, and what is made
of them, where inspection finds them (`imaging.services.preparing`); there and nowhere else. No
row changes, and nothing rests on it: what is not there inspection looks into by itself. So it is
no job but a message, which may get lost, and one worker of a machine does it at a time: the others
are for what people wait for.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing

from imaging import process_memory
from imaging.models import ReceivedFile, Transmittal
from imaging.services import clearing, ledger, preparing
from imaging.services.parser import Inspection, Parser, ParserUnavailableError
from imaging.services.parsing import parsers
from imaging.storage import StorageError, prepared

# Whether all came is asked so often, and whether more came when everything was looked into.
ASK_SECONDS = 0.1
# Files that come later than that bring a message of their own.
PATIENCE_SECONDS = 1.0
# Then others have their turn, however slowly it goes on.
LONGEST_SECONDS = 60.0
# Archives are opened by inspection; no image is as large.
LARGEST_BYTES = 64 * 2**20

logger = logging.getLogger(__name__)


def look(transmittal: int) -> None:
    """Look into what came of it until all came, or nothing more does."""
    with prepared.alone() as is_mine:
        if is_mine and _is_receiving(transmittal):
            process_memory.give_back()
            _look(transmittal)


def _look(key: int) -> None:
    transmittal = ledger.loaded(key)
    making = preparing.making_for(transmittal)
    prepared.open_for(key)

    def looked(parser: Parser, file: ReceivedFile) -> Inspection:
        return preparing.inspected(parser, file, making)

    try:
        with closing(parsers().each(key, looked, _coming(transmittal))) as looking:
            deque(looking, maxlen=0)
    except (StorageError, ParserUnavailableError) as error:
        # The type alone: inspection meets the same, and says it where people look.
        logger.warning("looking ahead into transmittal %s: %s", key, type(error).__name__)
    finally:
        # What was settled or destroyed meanwhile has taken away what was ready of it.
        if not transmittal.files.filter(state__in=clearing.WAITING).exists():
            prepared.forget(key)


def _coming(transmittal: Transmittal) -> Iterator[ReceivedFile]:
    """The files as they come that nobody has looked into, as long as more may."""
    known, last = set(prepared.told(transmittal.pk)), 0
    began = came = asked = time.monotonic()
    while came - began < LONGEST_SECONDS and _is_receiving(transmittal.pk):
        files = transmittal.files.filter(position__gt=last, size__lte=LARGEST_BYTES)
        for file in files.order_by("position"):
            came, last = time.monotonic(), file.position
            if came - asked > ASK_SECONDS:
                asked = came
                if not _is_receiving(transmittal.pk):
                    return
            if file.sha256 not in known:
                yield file
        if time.monotonic() - came > PATIENCE_SECONDS:
            return
        time.sleep(ASK_SECONDS)


def _is_receiving(transmittal: int) -> bool:
    receiving = Transmittal.State.RECEIVING
    return Transmittal.objects.filter(pk=transmittal, state=receiving).exists()
