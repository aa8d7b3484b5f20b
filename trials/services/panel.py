"""The truth panel: who may open its forms, and what it decides once it knows the index test.

Its members see the reference standard of a patient and nothing of a scan: no role but theirs
opens their forms, and theirs opens nothing else (`trials.roles`). The one mistake to fear is a
truth that was made to agree with the test; so what changes after the panel was told is named.
"""

from __future__ import annotations

from django.utils import timezone

from trials import permissions
from trials.models import FormEntry, PanelUnblinding, Patient, User
from trials.services import audit, deviations, form_reviews, patients
from trials.services.errors import Refused

CHANGED = "truth-changed-unblinded"
PATIENT_FORM = "truth_of_patient"


def unblind(patient: Patient, *, reason: str, by: User) -> PanelUnblinding:
    """Tell the panel of a patient's index test, once each of its decisions is signed."""
    permissions.require(by, "panel.unblind", patient)
    audit.require_reason(reason)
    with audit.action(
        "panel.unblinded", actor=by, reason=reason, trial=patient.trial_id, patient=patient.pk
    ):
        patients.hold_still(patient)
        if PanelUnblinding.objects.filter(patient=patient).exists():
            raise Refused("unblinded-already", "The panel was told of this patient already.")
        entries = list(
            FormEntry.objects.filter(patient=patient, is_of_panel=True)
            .exclude(state=FormEntry.State.UNDONE)
            .select_related("patient", "version")
        )
        if not entries or any(not form_reviews.standing_signatures(one) for one in entries):
            raise Refused(
                "not-decided",
                "Each decision of the panel about this patient is complete and signed first.",
            )
        return PanelUnblinding.objects.create(
            patient=patient, reason=reason.strip(), unblinded_by=by
        )


def name_change(entry: FormEntry) -> None:
    """A decision of the panel that changes after it was told. Inside the action that changes it."""
    if not entry.is_of_panel:
        return
    told = PanelUnblinding.objects.filter(patient=entry.patient_id).first()
    if told is None:
        return
    entry.changed_unblinded_at = timezone.now()
    entry.save(update_fields=["changed_unblinded_at"])
    at = f"{told.unblinded_at:%Y-%m-%d %H:%M} UTC"
    deviations.judge_by_rule(
        entry,
        rule=CHANGED,
        finding=(
            f"The truth panel changed what it decided after it was told of the index test on {at}.",
            {"found": f"revision {entry.revision}", "expected": "no change", "unit": ""},
        ),
    )
