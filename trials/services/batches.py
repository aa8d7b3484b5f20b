"""Batches of a tracer: what was calibrated when, released by whom, and until when it is good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError
from django.utils import timezone

from trials import accountability, permissions
from trials.crossover import shown
from trials.models import Batch, Site, User
from trials.services import audit, moments
from trials.services.errors import Invalid, Refused


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
    if not number.strip():
        raise Invalid("number", "Give the batch number on the certificate.")
    if not calibration_activity_mbq > 0:
        raise Invalid(
            "calibration_activity_mbq", f"Must be positive, got {calibration_activity_mbq:g} MBq."
        )
    calibrated_at = moments.aware(calibrated_at, field="calibrated_at")
    expires_at = moments.aware(expires_at, field="expires_at")
    if expires_at <= calibrated_at:
        raise Invalid("expires_at", "It expires after its calibration: check both times.")
    released_at = _release_time(released_at, released_by)
    _require_possible(measured)
    try:
        with audit.action("batch.recorded", actor=by, reason=number, trial=site.trial_id):
            return Batch.objects.create(
                site=site,
                tracer=tracer,
                number=number.strip(),
                calibration_activity_mbq=calibration_activity_mbq,
                calibrated_at=calibrated_at,
                expires_at=expires_at,
                released_at=released_at,
                released_by=released_by.strip(),
                certificate=certificate.strip(),
                **measured,
                recorded_by=by,
            )
    except IntegrityError as error:
        raise Refused(
            "recorded-already", f"Batch {number} of {tracer} is recorded at {site} already."
        ) from error


def release(batch: Batch, *, released_at: datetime, released_by: str, by: User) -> Batch:
    """Record that the qualified person released a batch."""
    permissions.require(by, "batch.record", batch)
    at = _release_time(released_at, released_by)
    with audit.action("batch.released", actor=by, reason=released_by, trial=batch.site.trial_id):
        locked = Batch.objects.select_for_update().get(pk=batch.pk)
        if locked.released_at:
            raise Refused("released-already", f"{locked} was released by {locked.released_by}.")
        locked.released_at, locked.released_by = at, released_by.strip()
        locked.save(update_fields=["released_at", "released_by"])
    return locked


def certify(
    batch: Batch,
    *,
    reason: str,
    by: User,
    certificate: str | None = None,
    **measured: float | None,
) -> Batch:
    """Record or correct what the certificate of analysis says was measured of a batch.

    What is not named is left as it is; a result of None is not stated any more.
    """
    permissions.require(by, "batch.record", batch)
    audit.require_reason(reason)
    _require_possible(measured)
    given: dict[str, Any] = {**measured}
    if certificate is not None:
        given["certificate"] = certificate.strip()
    with audit.action("batch.certified", actor=by, reason=reason, trial=batch.site.trial_id):
        locked = Batch.objects.select_for_update().get(pk=batch.pk)
        changed = [name for name, value in given.items() if getattr(locked, name) != value]
        if not changed:
            raise Refused("nothing-changed", "This is what is recorded of the batch already.")
        for name in changed:
            setattr(locked, name, given[name])
        locked.save(update_fields=changed)
    return locked


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


def _require_possible(measured: Mapping[str, float | None]) -> None:
    for name, value in measured.items():
        if problem := accountability.impossible(name, value):
            raise Invalid(name, problem)


def _release_time(at: datetime | None, by_whom: str) -> datetime | None:
    if (at is None) != (not by_whom.strip()):
        raise Invalid("released_by", "A release has a time and the name of who released it.")
    return moments.aware(at, field="released_at") if at else None
