"""Deviations: the list, one deviation, and the acts that settle it."""

from __future__ import annotations

from collections.abc import Callable

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from trials import permissions
from trials.forms import TextForm
from trials.models import AuditEvent, Deviation
from trials.selectors import panel_veil, subjects
from trials.services import deviations as services
from trials.services import panel_rights
from trials.services import subjects as found
from trials.views.acts import form_methods, form_page, fresh_submission, perform, rights, sent
from trials.views.subjects import pointed_at

State = Deviation.State


@require_safe
def deviations(request: HttpRequest) -> HttpResponse:
    """What did not go as the protocol says."""
    rows = permissions.listed(Deviation.objects, request.user, "deviation.view").select_related(
        "patient__trial", "patient__site", "recorded_by"
    )
    state = request.GET.get("state", "")
    if state in State.values:
        rows = rows.filter(state=state)
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [
            (row, subjects.name_of(row.subject_table, row.subject_pk))
            for row in panel_veil.deviations(list(page), request.user)
        ],
        "state": state,
        "states": State.choices,
    }
    return render(request, "trials/deviations.html", context)


@require_safe
def deviation(request: HttpRequest, pk: int) -> HttpResponse:
    return _one(request, _deviation(request, pk, "deviation.view"), {})


@form_methods
def deviation_new(request: HttpRequest) -> HttpResponse:
    """Record that something did not go as the protocol says."""
    about = pointed_at(request, "deviation.record")
    form = TextForm(sent(request), label="What happened")

    def record(values: dict) -> str:
        row = services.record(about, text=values["text"], by=request.user)
        return reverse("deviation", args=[row.pk])

    done = perform(request, form, record)
    context = {
        "form": form,
        "subject": subjects.name_of(about._meta.db_table, about.pk),
        "address": subjects.address(about),
        "patient": found.patient_of(about),
    }
    return done or form_page(request, "trials/deviation_new.html", context)


@require_POST
def deviation_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    return _settle(request, pk, "acknowledge", "deviation.acknowledge", services.acknowledge)


@require_POST
def deviation_close(request: HttpRequest, pk: int) -> HttpResponse:
    return _settle(request, pk, "close", "deviation.close", services.close)


def _settle(
    request: HttpRequest, pk: int, name: str, permission: str, act: Callable
) -> HttpResponse:
    row = _deviation(request, pk, permission)
    form = _form(name, sent(request))

    def settle(values: dict) -> str:
        act(row, text=values["text"], by=request.user)
        return reverse("deviation", args=[row.pk])

    return perform(request, form, settle) or _one(request, row, {name: form})


def _form(name: str, bound=None) -> TextForm:
    labels = {"acknowledge": "Assessment of the investigator", "close": "Why it is settled"}
    return TextForm(bound, label=labels[name], auto_id=f"id_{name}_%s")


def _one(request: HttpRequest, row: Deviation, forms: dict[str, TextForm]) -> HttpResponse:
    acknowledging = panel_rights.permission_about("deviation.acknowledge", row)
    may = rights(request.user, row.scope(), acknowledging, "deviation.close", "audit.view")
    may["deviation_acknowledge"] = may[acknowledging.replace(".", "_")]
    subject = found.found(row.subject_table, row.subject_pk)
    context = {
        "deviation": row,
        "patient": row.patient,
        "subject": subjects.name_of(row.subject_table, row.subject_pk),
        "address": subjects.address(subject) if subject else "",
        "history": _history(row),
        "may": may,
        "submission": fresh_submission(),
    }
    if row.state == State.DRAFTED and may["deviation_acknowledge"]:
        context["acknowledge"] = forms.get("acknowledge") or _form("acknowledge")
    if row.state == State.ACKNOWLEDGED and may["deviation_close"]:
        context["close"] = forms.get("close") or _form("close")
    return render(request, "trials/deviation.html", context, status=422 if forms else 200)


def _history(row: Deviation):
    """Who moved it and what was said, which the trail alone keeps."""
    return AuditEvent.objects.filter(
        table=Deviation._meta.db_table, row=str(row.pk), operation="U"
    ).order_by("pk")


def _deviation(request: HttpRequest, pk: int, permission: str) -> Deviation:
    rows = Deviation.objects.select_related("patient__trial", "patient__site", "recorded_by")
    row = rows.filter(pk=pk).first()
    taken = panel_rights.permission_about(permission, row) if row else permission
    return permissions.fetched(rows, request.user, taken, pk=pk)
