"""Accountability of tracers at a site: each act as it happened, and never more than is there."""

from __future__ import annotations

from datetime import datetime

from trials import accountability, permissions
from trials.models import AccountabilityReview, Batch, Signature, Site, TracerMovement, User
from trials.selectors import accountability as selectors
from trials.services import audit, moments, signatures
from trials.services.errors import Invalid, Refused

Kind = TracerMovement.Kind


def record(
    site: Site,
    *,
    kind: str,
    tracer: str = "",
    batch: Batch | None = None,
    doses: int,
    happened_at: datetime,
    activity_mbq: float | None = None,
    reference: str = "",
    by: User,
) -> TracerMovement:
    """Record that doses of a tracer were ordered, came, or went."""
    permissions.require(by, "batch.record", site)
    _check(site, kind, tracer, batch, doses, activity_mbq)
    happened_at = moments.past(happened_at, field="happened_at")
    with audit.action(f"tracer.{kind}", actor=by, reason=reference or kind, trial=site.trial_id):
        if batch:
            # Two people may hand out the last vial at once: the second one finds none.
            Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
            _require_there(batch, kind, doses)
        return TracerMovement.objects.create(
            site=site,
            tracer=batch.tracer if batch else tracer,
            batch=batch,
            kind=kind,
            doses=doses,
            activity_mbq=activity_mbq,
            happened_at=happened_at,
            reference=reference.strip(),
            recorded_by=by,
        )


def undo(movement: TracerMovement, *, reason: str, by: User) -> TracerMovement:
    """Take back what was recorded by mistake; it stays readable with the reason."""
    permissions.require(by, "batch.record", movement)
    audit.require_reason(reason)
    with audit.action("tracer.undone", actor=by, reason=reason, trial=movement.site.trial_id):
        if movement.batch_id:
            Batch.objects.select_for_update(no_key=True).get(pk=movement.batch_id)
        locked = TracerMovement.objects.select_for_update(of=("self",)).get(pk=movement.pk)
        if locked.undone_because:
            raise Refused("undone-already", "This is taken back already.")
        if locked.kind == Kind.RECEIVED:
            _require_there(locked.batch, Kind.DESTROYED, locked.doses)
        locked.undone_because = reason.strip()
        locked.save(update_fields=["undone_because"])
    return locked


def review(
    site: Site, *, tracer: str, remark: str = "", seen: str, password: str, by: User
) -> AccountabilityReview:
    """Sign the balance of a tracer as it was shown; `seen` is the digest of what was looked at."""
    permissions.require(by, "accountability.sign", site)
    meaning = Signature.Meaning.ACCOUNTABILITY
    with audit.action(
        "accountability.reviewed", actor=by, reason=meaning.label, trial=site.trial_id
    ):
        now = selectors.frozen(site, tracer)
        if not now.movements:
            raise Invalid("tracer", f"Of {tracer!r} nothing is recorded at {site}.")
        if now.sha256 != seen:
            raise Refused(
                "changed-meanwhile",
                "A movement or an injection was recorded after this page was opened: look again, "
                "then sign.",
            )
        row = AccountabilityReview.objects.create(
            site=site,
            tracer=tracer,
            remark=remark.strip(),
            balance=now.balance,
            movements=now.movements,
            sha256=now.sha256,
            reviewed_by=by,
        )
        content = {"site": site.code, "tracer": tracer, "remark": row.remark}
        signatures.sign(
            row,
            by=by,
            password=password,
            meaning=meaning,
            content=content | {"balance": now.balance, "movements": now.movements},
        )
    return row


def on_hand(batch: Batch) -> int:
    """Doses of a batch that are there by the acts that stand."""
    rows = batch.movements.filter(undone_because="").values_list("kind", "doses")
    return sum(accountability.SIGN[kind] * number for kind, number in rows)


def _require_there(batch: Batch, kind: str, doses: int) -> None:
    there = on_hand(batch)
    if accountability.SIGN[kind] < 0 and doses > there:
        raise Refused(
            "more-than-there",
            f"Of {batch} {there} patient doses are there by the record, not {doses}. If its vials "
            "hold more, record the further doses as received first.",
        )


def _check(
    site: Site,
    kind: str,
    tracer: str,
    batch: Batch | None,
    doses: int,
    activity_mbq: float | None,
) -> None:
    if kind not in Kind.values:
        raise Invalid("kind", f"Expected one of {', '.join(Kind.values)}; got {kind!r}.")
    if (kind == Kind.ORDERED) != (batch is None):
        raise Invalid("batch", "An order has no batch yet; every other act names its batch.")
    if batch and batch.site_id != site.pk:
        raise Invalid("batch", f"{batch} is not at {site}.")
    version = site.version_in_force
    known = [one.identifier for one in version.tracers.all()] if version else []
    if batch is None and tracer not in known:
        raise Invalid("tracer", f"Expected one of {', '.join(known) or 'none'}; got {tracer!r}.")
    most = accountability.MOST_DOSES
    if not 1 <= doses <= most:
        raise Invalid("doses", f"Give how many, from 1 to {most}; got {doses}.")
    # What is not finite is within no range.
    if activity_mbq is not None and not 0 <= activity_mbq <= accountability.MOST_MBQ:
        raise Invalid(
            "activity_mbq",
            f"Give from 0 to {accountability.MOST_MBQ:g} MBq; got {activity_mbq:g} MBq.",
        )
