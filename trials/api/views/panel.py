"""The truth panel: its patients, what it is shown of one, and when it was told of the test.

Its forms are begun, filled in and signed at the addresses of forms.
"""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import panel as shapes
from trials.api.base import Endpoint, asked, operation
from trials.api.serializers import Reason
from trials.api.views.patients import patient_for
from trials.selectors import panel as selectors
from trials.services import panel


class PanelPatients(Endpoint):
    @operation("listPanelPatients", tag="patients", answers=shapes.PanelPatient(many=True))
    def get(self, request: Request) -> Response:
        """Patients whose truth is to be decided, and how far the panel is."""
        rows = permissions.listed(selectors.patients(), request.user, "panel.view")
        return self.page(rows, shapes.PanelPatient)


class PanelPatient(Endpoint):
    @operation("getPanelPatient", tag="patients", answers=shapes.PanelCase)
    def get(self, request: Request, pk: int) -> Response:
        """The reference standard of a patient, and the panel's decisions."""
        patient = patient_for(request, "panel.view", pk)
        return self.show(selectors.case_of(patient), shapes.PanelCase)


class PanelUnblind(Endpoint):
    @operation("unblindPanel", tag="patients", asks=Reason, answers=shapes.PanelUnblinding)
    def post(self, request: Request, pk: int) -> Response:
        """Record that the panel is told of the index test; what it changes later is named."""
        patient = patient_for(request, "panel.unblind", pk)
        row = panel.unblind(patient, **asked(request, Reason), by=request.user)
        return self.show(row, shapes.PanelUnblinding)
