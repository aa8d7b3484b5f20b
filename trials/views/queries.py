"""Queries: the list, the conversation, and its turns."""

from __future__ import annotations

from collections.abc import Callable

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from trials import permissions
from trials.forms import TextForm
from trials.models import Query
from trials.selectors import panel_veil, subjects
from trials.services import panel_rights
from trials.services import queries as services
from trials.services import subjects as found
from trials.views.acts import form_methods, form_page, fresh_submission, perform, rights, sent
from trials.views.subjects import pointed_at

State = Query.State


@require_safe
def queries(request: HttpRequest) -> HttpResponse:
    """Questions to the site; at first those that wait for somebody."""
    rows = permissions.listed(Query.objects, request.user, "query.view").select_related(
        "trial", "site", "patient", "opened_by"
    )
    state = request.GET.get("state", State.OPEN)
    if state in State.values:
        rows = rows.filter(state=state)
    is_mine = request.GET.get("mine") == "1"
    if is_mine:
        rows = rows.filter(opened_by=request.user)
    patient = request.GET.get("patient", "").strip()
    if patient:
        rows = rows.filter(patient__identifier=patient)
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [
            (row, subjects.name_of(row.subject_table, row.subject_pk))
            for row in panel_veil.queries(list(page), request.user)
        ],
        "state": state,
        "states": State.choices,
        "is_mine": is_mine,
        "patient": patient,
    }
    return render(request, "trials/queries.html", context)


@require_safe
def query(request: HttpRequest, pk: int) -> HttpResponse:
    """One conversation, with what the user may add to it."""
    return _conversation(request, _query(request, pk, "query.view"), {})


@form_methods
def query_new(request: HttpRequest) -> HttpResponse:
    """Ask the site about a record."""
    about = pointed_at(request, "query.open")
    form = TextForm(sent(request), label="Question")

    def ask(values: dict) -> str:
        row = services.open_query(about, text=values["text"], by=request.user)
        return reverse("query", args=[row.pk])

    done = perform(request, form, ask)
    context = {
        "form": form,
        "subject": subjects.name_of(about._meta.db_table, about.pk),
        "address": subjects.address(about),
        "patient": found.patient_of(about),
    }
    return done or form_page(request, "trials/query_new.html", context)


@require_POST
def query_answer(request: HttpRequest, pk: int) -> HttpResponse:
    return _turn(request, pk, "answer", "query.answer", services.answer)


@require_POST
def query_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    return _turn(request, pk, "reopen", "query.close", services.reopen)


@require_POST
def query_close(request: HttpRequest, pk: int) -> HttpResponse:
    return _turn(request, pk, "close", "query.close", services.close)


def _turn(request: HttpRequest, pk: int, name: str, permission: str, act: Callable) -> HttpResponse:
    row = _query(request, pk, permission)
    form = _form(name, sent(request))

    def take(values: dict) -> str:
        act(row, text=values["text"], by=request.user)
        return reverse("query", args=[row.pk])

    return perform(request, form, take) or _conversation(request, row, {name: form})


def _form(name: str, bound=None) -> TextForm:
    labels = {"answer": "Answer", "reopen": "What is still open", "close": "Why it is settled"}
    # Three forms on one page need fields of three identities.
    return TextForm(bound, label=labels[name], auto_id=f"id_{name}_%s")


def _conversation(request: HttpRequest, row: Query, forms: dict[str, TextForm]) -> HttpResponse:
    answering = panel_rights.permission_about("query.answer", row)
    may = rights(request.user, row.scope(), answering, "query.close", "audit.view")
    may["query_answer"] = may[answering.replace(".", "_")]
    subject = found.found(row.subject_table, row.subject_pk)
    context = {
        "query": row,
        "messages_of_query": row.messages.select_related("author"),
        "subject": subjects.name_of(row.subject_table, row.subject_pk),
        "address": subjects.address(subject) if subject else "",
        "may": may,
        "answer": _offered(row, {State.OPEN}, may["query_answer"], "answer", forms),
        "reopen": _offered(row, {State.ANSWERED}, may["query_close"], "reopen", forms),
        "close": _offered(row, {State.OPEN, State.ANSWERED}, may["query_close"], "close", forms),
        "submission": fresh_submission(),
    }
    return render(request, "trials/query.html", context, status=422 if forms else 200)


def _offered(
    row: Query, states: set, is_allowed: bool, name: str, forms: dict[str, TextForm]
) -> TextForm | None:
    if not is_allowed or row.state not in states:
        return None
    return forms.get(name) or _form(name)


def _query(request: HttpRequest, pk: int, permission: str) -> Query:
    rows = Query.objects.select_related("trial", "site", "patient", "opened_by")
    row = rows.filter(pk=pk).first()
    taken = panel_rights.permission_about(permission, row) if row else permission
    return permissions.fetched(rows, request.user, taken, pk=pk)
