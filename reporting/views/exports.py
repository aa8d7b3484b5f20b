"""Reporting pages: the exports, one export, and its file."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from reporting import selectors
from reporting.datasets import DATASETS
from reporting.formats import CHOICES
from reporting.forms import ExportForm
from reporting.models import Export
from reporting.services import exports as services
from trials import permissions
from trials.views.acts import form_methods, form_page, perform, sent


@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """What was exported, of which moment, by whom and why."""
    rows = permissions.listed(selectors.exports(), request.user, "export.view")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    context = {"page": page, "may_create": request.user.may("export.create")}
    return render(request, "reporting/exports.html", context)


@form_methods
def export_new(request: HttpRequest) -> HttpResponse:
    """Order an export of a trial."""
    permissions.require_somewhere(request.user, "export.create")
    wanted = request.GET.get("trial", "")
    trial = selectors.exportable_trials(request.user).filter(identifier=wanted).first()
    form = ExportForm(sent(request), by=request.user, initial={"trial": trial})

    def order(values: dict) -> str:
        return reverse("export", args=[services.request(**values, by=request.user).pk])

    done = perform(request, form, order)
    context = {"form": form, "datasets": DATASETS.values()}
    return done or form_page(request, "reporting/export_new.html", context)


@require_safe
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """One export: how far it is, what it holds, how to cite and check it."""
    row = _export(request, pk)
    context = {
        "export": row,
        "message": selectors.message_of(row),
        "is_moving": row.standing == Export.State.REQUESTED,
        "is_frozen": row.standing == Export.State.FROZEN,
        "datasets": DATASETS.values(),
        "formats": [CHOICES[name] for name in row.formats],
        "earlier": selectors.frozen_before(row)[:20],
        "downloads": row.downloads.select_related("by")[:50],
    }
    partial = request.htmx and not request.htmx.boosted
    name = "reporting/_export.html" if partial else "reporting/export.html"
    return render(request, name, context)


@require_GET
def export_download(request: HttpRequest, pk: int) -> HttpResponse:
    row = _export(request, pk)
    return as_file(row, services.download(row, by=request.user))


@require_safe
def export_differences(request: HttpRequest, pk: int) -> HttpResponse:
    """What changed since an earlier export of the trial: how much in which dataset."""
    newer, older = _export(request, pk), _since(request)
    found = services.differences(newer, older, by=request.user)
    context = {"export": newer, "older": older, "differences": found}
    return render(request, "reporting/differences.html", context)


@require_GET
def export_differences_file(request: HttpRequest, pk: int) -> HttpResponse:
    newer, older = _export(request, pk), _since(request)
    return differences_as_file(
        newer, older, services.differences_file(newer, older, by=request.user)
    )


def differences_as_file(newer: Export, older: Export, content: bytes) -> HttpResponse:
    """Everything that differs as a CSV to keep."""
    name = f"{newer.trial.identifier}-exports-{older.pk}-to-{newer.pk}.csv"
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-store"
    return response


def _since(request: HttpRequest) -> Export:
    asked = request.GET.get("since", "")
    if not asked.isdecimal() or len(asked) > 18:
        raise Http404
    return _export(request, int(asked))


def as_file(row: Export, content: bytes) -> HttpResponse:
    """The bytes of an export as a file to keep."""
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, services.file_name(row))
    response["ETag"] = f'"{row.sha256}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _export(request: HttpRequest, pk: int) -> Export:
    return permissions.fetched(selectors.exports(), request.user, "export.view", pk=pk)
