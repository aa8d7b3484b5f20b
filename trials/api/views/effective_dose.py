"""The effective dose of a patient."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials.api import effective_dose as shapes
from trials.api.base import Endpoint, operation
from trials.api.views.patients import patient_for
from trials.selectors import effective_dose


class PatientDose(Endpoint):
    @operation("getEffectiveDose", tag="patients", answers=shapes.PatientDose)
    def get(self, request: Request, pk: int) -> Response:
        """What the patient received from tracers and CT so far, in mSv, with its inputs."""
        patient = patient_for(request, "patient.view", pk)
        return self.show(effective_dose.of_patient(patient), shapes.PatientDose)
