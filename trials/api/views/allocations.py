"""The randomisation of a patient."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials.api import allocations as shapes
from trials.api.base import Endpoint, asked, operation
from trials.api.serializers import Reason
from trials.api.views.patients import patient_for
from trials.services import allocations


class Allocation(Endpoint):
    @operation("getAllocation", tag="patients", answers=shapes.Allocation)
    def get(self, request: Request, pk: int) -> Response:
        """The allocation of a patient, with its sequence as far as you may see it."""
        patient = patient_for(request, "patient.view", pk)
        return self.show(allocations.of(patient), shapes.Allocation)

    @operation("allocatePatient", tag="patients", answers=shapes.Allocation, status=201)
    def post(self, request: Request, pk: int) -> Response:
        """Give an enrolled, eligible patient the next place of the stratum; once."""
        patient = patient_for(request, "patient.randomise", pk)
        row = allocations.allocate(patient, by=request.user)
        return self.show(row, shapes.Allocation, status=201)


class Unblind(Endpoint):
    @operation("unblindAllocation", tag="patients", asks=Reason, answers=shapes.Allocation)
    def post(self, request: Request, pk: int) -> Response:
        """Look at a concealed allocation in an emergency; an important deviation is drafted."""
        patient = patient_for(request, "allocation.unblind", pk)
        given = asked(request, Reason)
        row = allocations.of(patient)
        allocations.unblind(row, **given, by=request.user)
        return self.show(row, shapes.Allocation)
