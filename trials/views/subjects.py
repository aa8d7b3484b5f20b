"""The record that a new query or deviation is about, as the link to the form names it."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from trials import permissions
from trials.models import ScopedModel
from trials.services import subjects

# The largest key a table can have.
LARGEST_KEY = 2**63 - 1


def pointed_at(request: HttpRequest, permission: str) -> ScopedModel:
    """The row of `?table=&pk=`, if it is in the user's scope and belongs to a patient."""
    table, pk = request.GET.get("table", ""), request.GET.get("pk", "")
    if not (pk.isascii() and pk.isdigit() and int(pk) <= LARGEST_KEY):
        raise Http404
    row = subjects.found(table, int(pk))
    if not isinstance(row, ScopedModel) or subjects.patient_of(row) is None:
        raise Http404
    return permissions.fetched(type(row).objects, request.user, permission, pk=row.pk)
