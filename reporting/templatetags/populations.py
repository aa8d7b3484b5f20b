"""The populations of one patient, for the page of the patient, which knows nothing of analyses."""

from __future__ import annotations

from typing import Any

from django import template

from reporting.selectors import populations as selectors
from trials.models import Patient, User

register = template.Library()


@register.inclusion_tag("reporting/_patient_populations.html")
def populations_of_patient(patient: Patient, user: User) -> dict[str, Any]:
    """In which populations a patient is counted, for whom may know; else nothing."""
    if not user.may_for("population.view", patient.scope()):
        return {"rows": []}
    whole = any(
        trial == patient.trial_id and site is None for trial, site in user.scopes("population.view")
    )
    rows = selectors.of_patient(patient)
    return {"rows": rows, "trial": patient.trial, "opens": whole}
