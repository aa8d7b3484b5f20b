"""The record that a new query or deviation is about, as the link to the form names it."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from trials import permissions
from trials.models import ScopedModel
from trials.services import subjects
from trials.services.errors import Invalid

# The largest key a table can have.
LARGEST_KEY = 2**63 - 1


def pointed_at(request: HttpRequest, permission: str) -> ScopedModel:
    """The row of `?table=&pk=`, if it is in the user's scope and belongs to a patient."""
    permissions.require_somewhere(request.user, permission)
    table, pk = request.GET.get("table", ""), request.GET.get("pk", "")
    if not (pk.isascii() and pk.isdigit() and int(pk) <= LARGEST_KEY):
        raise Http404
    try:
        rows = subjects.rows_of(table)
    except Invalid as error:
        raise Http404(error.message) from error
    return permissions.fetched(rows, request.user, permission, pk=int(pk))
