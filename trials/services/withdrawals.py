"""A patient's leaving: how far it reaches, on whose wish, since when."""

from __future__ import annotations

from trials import permissions
from trials.models import Patient, User, Withdrawal
from trials.services import audit, moments, patients
from trials.services.errors import Invalid, Refused

Extent = Withdrawal.Extent
# From the least to the most; what a patient once asked for is not narrowed again.
REACH = [Extent.SCANS, Extent.USE, Extent.DESTROY]


def record(
    patient: Patient,
    *,
    extent: str,
    initiative: str,
    withdrawn_at: str,
    text: str,
    by: User,
) -> Withdrawal:
    """Record that a patient leaves the trial, or wishes more of what was collected gone."""
    permissions.require(by, "patient.withdraw", patient)
    _check(extent, initiative, text)
    zone = patient.site.time_zone
    withdrawn_at = moments.happened(withdrawn_at, zone=zone, field="withdrawn_at")
    with audit.action("patient.withdrawn", actor=by, reason=text, trial=patient.trial_id):
        locked = patients.hold_still(patient)
        if locked.state in {Patient.State.SCREENING, Patient.State.SCREEN_FAILED}:
            raise Refused(
                "not-enrolled", f"{locked} was never enrolled: end the screening instead."
            )
        earlier = extent_of(locked)
        if earlier and REACH.index(Extent(extent)) <= REACH.index(Extent(earlier)):
            label = Extent(earlier).label.lower()
            raise Refused("reaches-as-far", f"The withdrawal reaches as far already: {label}.")
        row = Withdrawal.objects.create(
            patient=locked,
            extent=extent,
            initiative=initiative,
            withdrawn_at=withdrawn_at,
            text=text.strip(),
            recorded_by=by,
        )
        if locked.state != Patient.State.WITHDRAWN:
            locked.state = Patient.State.WITHDRAWN
            locked.save(update_fields=["state"])
    return row


def extent_of(patient: Patient) -> str | None:
    """How far the withdrawal of a patient reaches; None without one."""
    newest = patient.withdrawals.first()
    return newest.extent if newest else None


def _check(extent: str, initiative: str, text: str) -> None:
    if extent not in Extent.values:
        raise Invalid("extent", f"It is one of {', '.join(Extent.values)}; got {extent!r}.")
    if initiative not in Withdrawal.Initiative.values:
        expected = ", ".join(Withdrawal.Initiative.values)
        raise Invalid("initiative", f"It is one of {expected}; got {initiative!r}.")
    if not text.strip():
        raise Invalid("text", "Say what the patient, or whoever decided, said.")
