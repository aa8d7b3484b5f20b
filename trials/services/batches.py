"""Batches of a tracer: what was calibrated when, released by whom, and until when it is good."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError
from django.utils import timezone

from trials import accountability, permissions
from trials.crossover import shown
from trials.models import Batch, Injection, Site, User
from trials.services import audit, deviations, holding, moments
from trials.services.errors import Invalid, Refused

# The rule by which a batch that was not released, or had expired, is a deviation.
NOT_IN_ORDER = "batch-not-in-order"
MOMENTS = frozenset({"calibrated_at", "expires_at", "released_at"})
TEXTS = frozenset({"number", "certificate", "released_by"})


def record(
    site: Site,
    *,
    tracer: str,
    number: str,
    calibration_activity_mbq: float,
    calibrated_at: datetime,
    expires_at: datetime,
    by: User,
    released_at: datetime | None = None,
    released_by: str = "",
    certificate: str = "",
    **measured: float | None,
) -> Batch:
    """Record a batch as its certificate says; released now, or by a later act.

    `measured` is what the certificate of analysis states, by the names of `RELEASE_DATA`.
    """
    permissions.require(by, "batch.record", site)
    version = site.version_in_force
    known = [one.identifier for one in version.tracers.all()] if version else []
    if tracer not in known:
        raise Invalid("tracer", f"Expected one of {', '.join(known) or 'none'}; got {tracer!r}.")
    row = Batch(
        site=site,
        tracer=tracer,
        number=number.strip(),
        calibration_activity_mbq=calibration_activity_mbq,
        calibrated_at=moments.aware(calibrated_at, field="calibrated_at"),
        expires_at=moments.aware(expires_at, field="expires_at"),
        released_at=_release_time(released_at, released_by),
        released_by=released_by.strip(),
        certificate=certificate.strip(),
        **measured,
        recorded_by=by,
    )
    _require_possible(row)
    with _once(row), audit.action("batch.recorded", actor=by, reason=number, trial=site.trial_id):
        row.save()
    return row


def release(batch: Batch, *, released_at: datetime, released_by: str, by: User) -> Batch:
    """Record that the qualified person released a batch."""
    permissions.require(by, "batch.record", batch)
    at = _release_time(released_at, released_by)
    with audit.action("batch.released", actor=by, reason=released_by, trial=batch.site.trial_id):
        locked = holding.held(batch, after=batch.injections.all())
        if locked.released_at:
            raise Refused("released-already", f"{locked} was released by {locked.released_by}.")
        locked.released_at, locked.released_by = at, released_by.strip()
        locked.save(update_fields=["released_at", "released_by"])
        _judge_what_was_given(locked)
    return locked


def certify(batch: Batch, *, reason: str, by: User, **given: Any) -> Batch:
    """Record or correct what the certificate of a batch says, its times and number among it.

    What is not named is left as it is; a result of None is not stated any more. What was given of
    the batch is held against the times as they are now: a deviation is drafted, or said to be none.
    """
    permissions.require(by, "batch.record", batch)
    audit.require_reason(reason)
    for name in MOMENTS & given.keys():
        given[name] = moments.aware(given[name], field=name) if given[name] else None
    given |= {name: given[name].strip() for name in TEXTS & given.keys()}
    with (
        _once(batch),
        audit.action("batch.certified", actor=by, reason=reason, trial=batch.site.trial_id),
    ):
        row = holding.held(batch, after=batch.injections.all())
        changed = [name for name, value in given.items() if getattr(row, name) != value]
        if not changed:
            raise Refused("nothing-changed", "This is what is recorded of the batch already.")
        if row.released_at and not given.get("released_at", True):
            raise Invalid("released_at", "It was released: correct when, or by whom.")
        for name in changed:
            setattr(row, name, given[name])
        _require_possible(row)
        row.save(update_fields=changed)
        _judge_what_was_given(row)
    return row


def not_in_order(injection: Injection) -> deviations.Finding | None:
    """What was wrong with the batch when it was injected, by what is on record of it now.

    Inside an action: until its end nobody releases or corrects the batch.
    """
    if injection.batch_id is None:
        return None
    batch = holding.shared(Batch, injection.batch_id)
    found = problems(batch, at=injection.injected_at)
    if batch.tracer != injection.scheduled_scan.planned_scan.tracer.identifier:
        found.append(f"Batch {batch.number} is of another tracer than the scan.")
    values = {"found": found, "expected": "released and not expired"}
    return (" ".join(found), values) if found else None


def problems(batch: Batch, *, at: datetime) -> list[str]:
    """Why a batch was not to be given at a moment, a sentence each."""
    found = []
    if batch.released_at is None or batch.released_at > at:
        when = f"only on {on_site(batch, batch.released_at)}" if batch.released_at else "not"
        found.append(f"Batch {batch.number} was {when} released.")
    if at > batch.expires_at:
        found.append(f"Batch {batch.number} expired on {on_site(batch, batch.expires_at)}.")
    return found


def on_site(batch: Batch, at: datetime) -> str:
    """A moment of a batch on the clock of its site, which is what its people read."""
    return shown(at, ZoneInfo(batch.site.time_zone))


def usable(site: Site, *, tracer: str, at: datetime | None = None) -> list[Batch]:
    """The batches of a tracer that may be given at a moment, the newest first."""
    at = at or timezone.now()
    rows = site.batches.filter(tracer=tracer, released_at__lte=at, expires_at__gte=at)
    return list(rows.order_by("-calibrated_at", "-pk"))


def _judge_what_was_given(batch: Batch) -> None:
    """Hold each injection of it to its release and expiry again. Inside the action."""
    given = holding.in_order(batch.injections.all())
    asked = given.select_related("scheduled_scan__planned_scan__tracer")
    deviations.judge_each(asked, rule=NOT_IN_ORDER, find=not_in_order)


def _require_possible(batch: Batch) -> None:
    """Raise for what no batch has, by the field that says it."""
    if not batch.number:
        raise Invalid("number", "Give the batch number on the certificate.")
    activity = batch.calibration_activity_mbq
    if not 0 < activity < math.inf:
        raise Invalid("calibration_activity_mbq", f"Must be positive, got {activity:g} MBq.")
    if batch.expires_at <= batch.calibrated_at:
        raise Invalid("expires_at", "It expires after its calibration: check both times.")
    _release_time(batch.released_at, batch.released_by)
    for name in accountability.RELEASE_DATA:
        if problem := accountability.impossible(name, getattr(batch, name)):
            raise Invalid(name, problem)


@contextmanager
def _once(batch: Batch) -> Iterator[None]:
    """Of a tracer a site has each number once."""
    try:
        yield
    except IntegrityError as error:
        raise Refused(
            "recorded-already",
            f"A batch of {batch.tracer} with this number is recorded at {batch.site} already.",
        ) from error


def _release_time(at: datetime | None, by_whom: str) -> datetime | None:
    if (at is None) != (not by_whom.strip()):
        raise Invalid("released_by", "A release has a time and the name of who released it.")
    return moments.aware(at, field="released_at") if at else None
