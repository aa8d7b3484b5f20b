"""Clearing: identified originals leave the quarantine once nobody waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from imaging import storage
from imaging.models import ReceivedFile, Transmittal
from imaging.storage import prepared
from imaging.storage.spool import LEFT_BEHIND_SECONDS
from trials.models import Job, User
from trials.services import jobs
from trials.services.fault_points import reach

# Names the lock between files that come and files that go; any number that is ours alone.
LOCK = 7_265_001
# The same between files that are written into the archive and those that are destroyed there.
ARCHIVE_LOCK = 7_265_002
WAITING = [
    ReceivedFile.State.RECEIVED,
    ReceivedFile.State.ACCEPTED,
    ReceivedFile.State.QUARANTINED,
]


def keep_off() -> None:
    """Nothing is cleared until this transaction ends: a file on disk gets its row before."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock_shared(%s)", [LOCK])


@contextmanager
def into_archive(claim: jobs.Claim) -> Iterator[None]:
    """Write files that no row names yet: until they are written nothing is destroyed.

    A worker that was stopped for so long that another did the job would bring back what was
    destroyed since: who lost the job writes none. Longer than a transaction, so that the job can
    say meanwhile how far it is.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock_shared(%s)", [ARCHIVE_LOCK])
    try:
        jobs.require_held(claim)
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_shared(%s)", [ARCHIVE_LOCK])


def await_writers() -> None:
    """Nobody writes into the archive until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [ARCHIVE_LOCK])


def order(transmittal: Transmittal, *, actor: User) -> Job:
    """Clear what was settled. A job: a crash after the commit leaves no original behind."""
    return jobs.enqueue("imaging.clear", actor=actor, on=transmittal, transmittal=transmittal.pk)


def clear(claim: jobs.Claim) -> None:
    """Remove the originals of a transmittal that neither it nor another one is waiting for.

    What inspection made ready of them goes too.
    """
    files = ReceivedFile.objects.filter(transmittal=claim.arguments["transmittal"])
    digests = set(files.values_list("sha256", flat=True))
    with jobs.fenced(claim):
        reach("clear.before-unlink")
        remove(digests)
        prepared.forget(claim.arguments["transmittal"])
        reach("clear.after-unlink")
    reach("clear.committed")


def remove(digests: set[str]) -> None:
    """Those of these originals that nobody waits for; in the caller's transaction."""
    keep_others_off()
    held = ReceivedFile.objects.filter(sha256__in=digests, state__in=WAITING)
    for digest in digests - set(held.values_list("sha256", flat=True)):
        storage.quarantine.remove(digest)


def sweep_prepared() -> int:
    """Remove what was made ready and lies there for a day though nobody waits for it; how many.

    It went with its originals unless the disk refused, or a backup brought it again.
    """
    held = ReceivedFile.objects.filter(state__in=WAITING)
    wanted = set(held.values_list("transmittal", flat=True))
    return prepared.forget_others(wanted, before=time.time() - LEFT_BEHIND_SECONDS)


def keep_others_off() -> None:
    """Nobody writes a file until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
