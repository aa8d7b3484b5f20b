"""Jobs: ordered in the caller's transaction, executed by Celery, finished exactly once.

The row is the truth. A broker message only tells a worker to look; a message lost, doubled
or late changes nothing, because a sweeper looks by itself and a claim is a conditional
update. A worker that lost its lease finds at the end that its token is old, and its work is
rolled back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from trials import permissions
from trials.models import Job, JobOrder, ScopedModel, User
from trials.services import audit
from trials.services.errors import Refused

LEASE = timedelta(seconds=10)
HEARTBEAT_SECONDS = 2.0
# A message that is not taken within this is taken for lost.
PATIENCE = timedelta(seconds=10)
MAXIMUM_ATTEMPTS = 3
BACK_OFF = timedelta(seconds=5)
SYSTEM_USERNAME = "system"

logger = logging.getLogger(__name__)
# Messages that may be on their way at once; beyond these the sweeper has to do.
_on_the_way = threading.BoundedSemaphore(64)


@dataclass(frozen=True)
class Claim:
    """The right to do a job, as long as no newer claim was made."""

    job: int
    token: int
    kind: str
    arguments: dict
    actor: User


class StaleClaim(Exception):  # noqa: N818  an answer, not a fault
    """The lease was lost and another worker has the job: this work must not count."""


Handler = Callable[[Claim], None]
_handlers: dict[str, str | Handler] = {}


def handled_by(kind: str, handler: str | Handler) -> None:
    """Say which function does jobs of `kind`.

    A dotted path is imported by the worker that needs it, so that web processes start
    without the libraries of image arithmetic.
    """
    _handlers[kind] = handler


def _handler(kind: str) -> Handler:
    handler = _handlers[kind]
    return import_string(handler) if isinstance(handler, str) else handler


def load_handlers() -> None:
    """Import what does the jobs: a worker before it forks, so that no job waits for it."""
    for kind in _handlers:
        _handler(kind)


def enqueue(kind: str, *, actor: User, on: ScopedModel | None = None, **arguments) -> Job:
    """Order a job. Inside the caller's transaction: no commit, no job; a commit, a job.

    `on` is what it works on: those see it whose role reaches that.
    """
    from trials import tasks

    trial, site = on.scope() if on else (None, None)
    job = Job.objects.create(
        kind=kind, arguments=arguments, actor=actor, trial_id=trial, site_id=site
    )
    transaction.on_commit(lambda: wake(tasks.run_job, job.pk), robust=True)
    return job


def wake(task, key: int) -> None:
    """Tell a worker, from a thread: a broker that hangs for minutes holds up nobody's request."""
    if _on_the_way.acquire(blocking=False):
        threading.Thread(target=_send, args=(task, key), name="wake", daemon=True).start()


def _send(task, key: int) -> None:
    """Send the message; when the broker is away the sweeper of jobs will."""
    try:
        task.apply_async((key,), retry=False, ignore_result=True)
    except task.OperationalError:
        logger.warning("broker unreachable, %s of %s waits", task.name, key)
    finally:
        _on_the_way.release()


def claim(pk: int) -> Claim | None:
    """Take the job if it is free or its lease has run out; otherwise None."""
    now = timezone.now()
    free = Q(state=Job.State.QUEUED, not_before__lte=now)
    abandoned = Q(state=Job.State.RUNNING, heartbeat_at__lt=now - LEASE)
    taken = Job.objects.filter(free | abandoned, pk=pk, attempts__lt=MAXIMUM_ATTEMPTS).update(
        state=Job.State.RUNNING,
        heartbeat_at=now,
        attempts=F("attempts") + 1,
        token=F("token") + 1,
    )
    if not taken:
        return None
    job = Job.objects.select_related("actor").get(pk=pk)
    return Claim(job.pk, job.token, job.kind, job.arguments, job.actor)


def run(pk: int) -> None:
    """Claim the job and do it; a failure is a state, with the reason beside it."""
    claimed = claim(pk)
    if claimed is None:
        return
    request = audit.current_request.set(f"job:{claimed.job}")
    try:
        with _heartbeat(claimed):
            _handler(claimed.kind)(claimed)
    except StaleClaim:
        logger.warning("job %s: lease lost, work discarded", claimed.job)
    except Exception as error:
        # The type is logged, the message kept out of logs: it may quote what a file says.
        logger.error("job %s (%s) failed: %s", claimed.job, claimed.kind, type(error).__name__)
        _failed(claimed, error)
    finally:
        audit.current_request.reset(request)


@contextmanager
def fenced(claim: Claim) -> Iterator[None]:
    """The job's last transaction: its effects and its end, together or not at all."""
    with transaction.atomic():
        held = Job.objects.select_for_update().filter(
            pk=claim.job, token=claim.token, state=Job.State.RUNNING
        )
        if not held.exists():
            raise StaleClaim
        yield
        Job.objects.filter(pk=claim.job).update(
            state=Job.State.DONE, finished_at=timezone.now(), error="", progress=""
        )


def require_held(claim: Claim) -> None:
    """Raise StaleClaim where another worker has the job: before what a transaction can't undo."""
    held = Job.objects.filter(pk=claim.job, token=claim.token, state=Job.State.RUNNING)
    if not held.exists():
        raise StaleClaim


def report(claim: Claim, progress: str) -> None:
    """Say how far the work is, for whoever waits."""
    Job.objects.filter(pk=claim.job, token=claim.token).update(progress=progress[:120])


def order_again(job: Job, *, reason: str, by: User) -> Job:
    """Let a parked job be tried three more times; its token goes on rising."""
    permissions.require(by, "jobs.order", job)
    audit.require_reason(reason)
    return _order_again(job, reason=reason, by=by)


def order_parked(*, reason: str) -> list[Job]:
    """Order every parked job again, as the system: for the command of an operator."""
    audit.require_reason(reason)
    parked = Job.objects.filter(state=Job.State.PARKED).order_by("pk")
    return [_order_again(job, reason=reason, by=system_user()) for job in parked]


def _order_again(job: Job, *, reason: str, by: User) -> Job:
    from trials import tasks

    with audit.action("job.ordered_again", actor=by, reason=reason):
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.state != Job.State.PARKED:
            raise Refused(
                "not-parked",
                f"This job is {locked.get_state_display().lower()}: only a parked one is ordered "
                "again.",
            )
        JobOrder.objects.create(job=locked, reason=reason, error=locked.error, ordered_by=by)
        locked.state, locked.attempts = Job.State.QUEUED, 0
        locked.not_before, locked.finished_at = timezone.now(), None
        locked.save(update_fields=["state", "attempts", "not_before", "finished_at"])
        transaction.on_commit(lambda: wake(tasks.run_job, locked.pk), robust=True)
    return locked


def sweep() -> list[int]:
    """Find jobs nobody works on: park the hopeless, return the others to be sent again."""
    now = timezone.now()
    waiting = Q(state=Job.State.QUEUED, not_before__lt=now - PATIENCE)
    abandoned = Q(state=Job.State.RUNNING, heartbeat_at__lt=now - LEASE)
    Job.objects.filter(abandoned, attempts__gte=MAXIMUM_ATTEMPTS).update(
        state=Job.State.PARKED,
        finished_at=now,
        error="The worker died each time it tried this.",
    )
    return list(
        Job.objects.filter(waiting | abandoned).order_by("pk").values_list("pk", flat=True)[:500]
    )


def _failed(claim: Claim, error: Exception) -> None:
    job = Job.objects.filter(pk=claim.job, token=claim.token, state=Job.State.RUNNING)
    text = f"{type(error).__name__}: {error}"[:500]
    parked = job.filter(attempts__gte=MAXIMUM_ATTEMPTS).update(
        state=Job.State.PARKED, finished_at=timezone.now(), error=text
    )
    if not parked:
        job.update(state=Job.State.QUEUED, not_before=timezone.now() + BACK_OFF, error=text)


@contextmanager
def _heartbeat(claim: Claim) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(claim, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(claim: Claim, stop: threading.Event) -> None:
    """Renew the lease until told to stop; a thread of its own has a connection of its own."""
    while not stop.wait(HEARTBEAT_SECONDS):
        Job.objects.filter(pk=claim.job, token=claim.token, state=Job.State.RUNNING).update(
            heartbeat_at=timezone.now()
        )
    connections.close_all()


def system_user() -> User:
    """The named actor of what no person does."""
    return User.objects.get(username=SYSTEM_USERNAME, is_system=True)
