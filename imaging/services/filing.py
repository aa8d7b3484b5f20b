"""Filing: what the journal of C-STORE holds is entered in the ledger, a group at a time.

The thread that files is behind the senders by a second at most, unless the database is away:
then the journal grows, and nothing that was acknowledged is lost.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import Q

from imaging.models import ReceivedFile, Transmittal
from imaging.services import receiving
from imaging.services.journal import DamagedError, Entry, Journal, entries
from trials.models import Site
from trials.services import jobs
from trials.services.fault_points import reach

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
LONGEST_PAUSE = 30.0
# What is entered at once: as many as an upload's batch, and no more than fits into memory.
BATCH_FILES = 100
BATCH_BYTES = 64 * 2**20


class Filer(threading.Thread):
    """Files what was appended to the journal until it is told to stop."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(name="filer", daemon=True)
        self.journal = journal
        self._ending = threading.Event()

    def run(self) -> None:
        pause = EVERY_SECONDS
        while True:
            stopping = self._ending.wait(pause)
            went_well = self.file_all()
            if not went_well:
                # It may be one to a server that is gone.
                connection.close()
            pause = EVERY_SECONDS if went_well else min(2 * pause, LONGEST_PAUSE)
            if stopping:
                return

    def stop(self, *, wait: float) -> None:
        """File what is left; what does not get done in time is found at the next start."""
        self._ending.set()
        self.join(wait)

    def file_all(self) -> bool:
        """Enter every segment; whether all went well."""
        if self.journal.has_open_segment():
            self.journal.close_segment()
        outcomes = [self._is_filed(path) for path in self.journal.waiting()]
        return all(outcomes)

    def _is_filed(self, path: Path) -> bool:
        try:
            self._file(path)
        except Exception as error:
            # Whatever it was, the segment stays. The message may quote what was sent.
            log.error("not filed yet, is tried again: %s", type(error).__name__)
            return False
        return True

    def _file(self, path: Path) -> None:
        try:
            for batch in _batches(entries(path)):
                # Of several that send at once the objects alternate: each object by itself would
                # be a transaction, and wait for the disk alone.
                for (site, sender), group in groupby(sorted(batch, key=_whose), _whose):
                    _enter(site, sender, list(group))
        except DamagedError:
            aside = path.with_suffix(".damaged")
            path.rename(aside)
            log.error("%s can't be read to its end and is kept: look at the disk", aside)
            return
        reach("c-store.filed")
        self.journal.remove(path)


def _whose(entry: Entry) -> tuple[int, str]:
    return entry.site, entry.sender


def _batches(found: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    try:
        for entry in found:
            if batch and (len(batch) == BATCH_FILES or size + len(entry.content) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(entry)
            size += len(entry.content)
    except DamagedError:
        yield batch
        raise
    yield batch


def _enter(site: int, sender: str, group: list[Entry]) -> None:
    files = [ContentFile(one.content) for one in _not_entered(site, sender, group)]
    if files:
        receiving.take_in(
            Site.objects.get(pk=site),
            source=Transmittal.Source.STORE,
            sender=sender,
            files=files,
            by=jobs.system_user(),
        )


def _not_entered(site: int, sender: str, group: list[Entry]) -> list[Entry]:
    """Those that an earlier try has not entered, whose commit was lost sight of.

    What came again after its transmittal was completed is entered anew.
    """
    first = min(datetime.fromisoformat(one.received_at) for one in group)
    digests = {hashlib.sha256(one.content).hexdigest(): one for one in group}
    entered = ReceivedFile.objects.filter(
        Q(transmittal__completed_at=None) | Q(transmittal__completed_at__gte=first),
        transmittal__site=site,
        transmittal__source=Transmittal.Source.STORE,
        transmittal__sender=sender,
        sha256__in=digests,
    )
    held = set(entered.values_list("sha256", flat=True))
    return [one for digest, one in digests.items() if digest not in held]
