"""Reporting pages: the exports, one export, and its file."""

from __future__ import annotations

from pathlib import Path

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from reporting import selectors
from reporting.datasets import DATASETS
from reporting.formats import CHOICES
from reporting.forms import ExportForm
from reporting.models import Export
from reporting.services import dataset_rows, deliveries
from reporting.services import exports as services
from reporting.views.delivery import answered
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
        "files": list(map(_listed, row.manifest.get("files", []))),
        "earlier": selectors.frozen_before(row)[:20],
        "downloads": row.downloads.select_related("by")[:50],
    }
    partial = request.htmx and not request.htmx.boosted
    name = "reporting/_export.html" if partial else "reporting/export.html"
    return render(request, name, context)


def _listed(file: dict) -> dict:
    """A file of the manifest, with the name of the dataset that it is the CSV of."""
    path = Path(file["path"])
    is_dataset = path.parent.name == "data" and path.suffix == ".csv"
    return {**file, "dataset": path.stem if is_dataset else ""}


@require_safe
def export_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    return answered(request, deliveries.whole(_export(request, pk), by=request.user))


@require_safe
def export_file(request: HttpRequest, pk: int, path: str) -> HttpResponseBase:
    """One file of an export, by its path in the manifest."""
    return answered(request, deliveries.one(_export(request, pk), path, by=request.user))


@require_GET
def export_dataset(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """The first rows of a dataset, with what its columns hold."""
    row = _export(request, pk)
    context = {
        "export": row,
        "preview": dataset_rows.preview(row, name, by=request.user),
        "address": request.build_absolute_uri(reverse("api_export_dataset", args=[row.pk, name])),
    }
    return render(request, "reporting/dataset.html", context)


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


def _export(request: HttpRequest, pk: int) -> Export:
    return permissions.fetched(selectors.exports(), request.user, "export.view", pk=pk)
