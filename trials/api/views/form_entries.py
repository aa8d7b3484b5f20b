"""Case report forms: what is asked, what was entered, and the acts on a form."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework.request import Request
from rest_framework.response import Response

from trials.api import form_entries as shapes
from trials.api import serializers
from trials.api.base import Endpoint, asked, operation
from trials.api.views.patients import patient_for
from trials.models import FormEntry, ItemValue
from trials.selectors import form_entries as selectors
from trials.services import form_entries, form_reviews
from trials.services.errors import Invalid


class FormEndpoint(Endpoint):
    """An address that answers with one form as it is then."""

    def opened(self, entry: FormEntry, *, status: int = 200) -> Response:
        row = selectors.rows().get(pk=entry.pk)
        return self.show(selectors.opened(row), shapes.OpenedForm, status=status)


class Forms(FormEndpoint):
    @operation("listForms", tag="patients", answers=shapes.AskedForm(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What the protocol asks of a patient, by visit, and what was entered so far."""
        patient = patient_for(request, "form.view", pk)
        return Response(shapes.AskedForm(selectors.lines_of(patient), many=True).data)

    @operation(
        "beginForm", tag="patients", asks=shapes.BeginForm, answers=shapes.OpenedForm, status=201
    )
    def post(self, request: Request, pk: int) -> Response:
        """Begin a form; one that is begun and does not repeat is gone on with."""
        patient = patient_for(request, form_entries.permission_to_begin(pk, _form(request)), pk)
        given = asked(request, shapes.BeginForm)
        return self.opened(form_entries.begin(patient, by=request.user, **given), status=201)


class OneForm(FormEndpoint):
    @operation("getForm", tag="patients", answers=shapes.OpenedForm)
    def get(self, request: Request, pk: int) -> Response:
        """A form with its values, queries and marks; of a draft, what was typed."""
        return self.opened(_entry(request, "form.view", pk))


class DraftForm(Endpoint):
    @operation("saveDraft", tag="patients", asks=shapes.FillForm, answers=shapes.Saved)
    def put(self, request: Request, pk: int) -> Response:
        """Keep what was typed, right or wrong; it is no record yet."""
        entry = _entry(request, "form.record", pk)
        given = asked(request, shapes.FillForm)
        draft = form_entries.save_draft(
            entry, given=given["values"], revision=given["revision"], by=request.user
        )
        return self.show(draft, shapes.Saved)


class CompleteForm(FormEndpoint):
    @operation("completeForm", tag="patients", asks=shapes.FillForm, answers=shapes.OpenedForm)
    def post(self, request: Request, pk: int) -> Response:
        """Make the values the record, if every item is right."""
        entry = _entry(request, "form.record", pk)
        given = asked(request, shapes.FillForm)
        done = form_entries.complete(
            entry, given=given["values"], revision=given["revision"], by=request.user
        )
        return self.opened(done)


class CorrectForm(FormEndpoint):
    @operation("correctForm", tag="patients", asks=shapes.CorrectForm, answers=shapes.OpenedForm)
    def post(self, request: Request, pk: int) -> Response:
        """Change items of a complete form; those that are not given stay as they are."""
        entry = _entry(request, "form.record", pk)
        given = asked(request, shapes.CorrectForm)
        return self.opened(
            form_entries.correct(entry, given=given.pop("values"), by=request.user, **given)
        )


class UndoForm(FormEndpoint):
    @operation("undoForm", tag="patients", asks=serializers.Reason, answers=shapes.OpenedForm)
    def post(self, request: Request, pk: int) -> Response:
        """Take back a form that should not have been filled in."""
        entry = _entry(request, "form.record", pk)
        given = asked(request, serializers.Reason)
        return self.opened(form_entries.undo(entry, by=request.user, **given))


class SignForm(FormEndpoint):
    @operation("signForm", tag="patients", asks=shapes.SignForm, answers=shapes.OpenedForm)
    def post(self, request: Request, pk: int) -> Response:
        """Sign a complete form as the investigator who answers for it."""
        entry = _entry(request, "form.sign", pk)
        form_reviews.sign(entry, by=request.user, **asked(request, shapes.SignForm))
        return self.opened(entry)


class VerifyForm(FormEndpoint):
    @operation("verifyForm", tag="patients", asks=shapes.VerifyForm, answers=shapes.OpenedForm)
    def post(self, request: Request, pk: int) -> Response:
        """Mark values as compared with their source, each by the digest that was seen."""
        entry = _entry(request, "form.verify", pk)
        given = asked(request, shapes.VerifyForm)
        rows = ItemValue.objects.filter(entry=entry).in_bulk([one["id"] for one in given["values"]])
        if unknown := [one["id"] for one in given["values"] if one["id"] not in rows]:
            raise Invalid("values", f"This form has no values {unknown}.")
        seen = {rows[one["id"]]: one["digest"] for one in given["values"]}
        form_reviews.verify(entry, seen=seen, note=given["note"], by=request.user)
        return self.opened(entry)


class FormHistory(Endpoint):
    @operation("getFormHistory", tag="patients", answers=shapes.PastValue(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Every value of every item, the first one first."""
        entry = _entry(request, "form.view", pk)
        found = [
            {"item": item, **vars(one)}
            for item, past in selectors.history_of(entry).items()
            for one in past
        ]
        return Response(shapes.PastValue(found, many=True).data)


def _form(request: Request) -> str:
    """The form that is named, to know who may; whether it is right is asked later."""
    named = request.data.get("form") if isinstance(request.data, Mapping) else ""
    return named if isinstance(named, str) else ""


def _entry(request: Request, permission: str, pk: int) -> FormEntry:
    return selectors.fetched(request.user, permission, pk)
