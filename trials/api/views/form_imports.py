"""Files of form values: sent, looked at, confirmed."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import form_imports as shapes
from trials.api.base import Endpoint, asked, operation
from trials.models import FormImport, Trial
from trials.selectors import form_imports as selectors
from trials.services import form_imports
from trials.services.form_imports import READING


class FormImports(Endpoint):
    @operation("listFormImports", tag="trials", answers=shapes.FormImport(many=True))
    def get(self, request: Request) -> Response:
        """The files of form values that were sent, newest first."""
        rows = permissions.listed(selectors.rows(), request.user, "form.import")
        return self.page(rows, shapes.FormImport)

    @operation(
        "sendFormImport",
        tag="trials",
        asks=shapes.SendFormImport,
        answers=shapes.PlannedImport,
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Send a file; nothing is entered before it is confirmed.

        A file that was entered already under its name answers with that import.
        """
        given = asked(request, shapes.SendFormImport)
        trial = permissions.fetched(
            Trial.objects, request.user, "form.import", identifier=given.pop("trial")
        )
        reading = {key: given.pop(key) for key in READING}
        row = form_imports.receive(trial, by=request.user, reading=reading, **given)
        return self.show(row, shapes.PlannedImport, status=201)


class OneFormImport(Endpoint):
    @operation("getFormImport", tag="trials", answers=shapes.PlannedImport)
    def get(self, request: Request, pk: int) -> Response:
        """A file with what each row does, or why it is refused."""
        return self.show(_row(request, pk), shapes.PlannedImport)


class ConfirmFormImport(Endpoint):
    @operation(
        "confirmFormImport",
        tag="trials",
        asks=shapes.ConfirmFormImport,
        answers=shapes.PlannedImport,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Enter exactly what was looked at, all of it or nothing."""
        row = _row(request, pk)
        done = form_imports.confirm(
            row, by=request.user, **asked(request, shapes.ConfirmFormImport)
        )
        return self.show(done, shapes.PlannedImport)


def _row(request: Request, pk: int) -> FormImport:
    return permissions.fetched(selectors.rows(), request.user, "form.import", pk=pk)
