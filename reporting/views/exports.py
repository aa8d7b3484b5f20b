"""Reporting pages: the exports, one export, and its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST, require_safe

from reporting import selectors
from reporting.datasets import DATASETS
from reporting.formats import CHOICES
from reporting.forms import ExportForm, UnblindingForm
from reporting.models import Export, ExportRebuild
from reporting.services import (
    dataset_rows,
    deliveries,
    increments,
    opening,
    rebuilds,
    reports,
    unblinding,
)
from reporting.services import exports as services
from reporting.views.delivery import answered
from trials import permissions
from trials.services import jobs
from trials.services.errors import Forbidden
from trials.views.acts import (
    ActPage,
    form_methods,
    form_page,
    fresh_submission,
    once,
    perform,
    rights,
    sent,
)

# What a link to the order form may fill in: an export to hold another one against.
PREFILLED = ("privacy", "cut_off", "at_event")


@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """What was exported, of which moment, by whom and why."""
    rows = permissions.listed(selectors.exports(), request.user, "export.view")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    waiting = selectors.waiting(selectors.exports().visible_to(request.user, "export.unblind"))
    context = {
        "page": page,
        "may_create": request.user.may("export.create"),
        "may_unblind": request.user.may("export.unblind"),
        "waiting": waiting.count(),
    }
    return render(request, "reporting/exports.html", context)


@require_safe
def exports_waiting(request: HttpRequest) -> HttpResponse:
    """Unblinded exports that wait until a second person agrees."""
    rows = permissions.listed(selectors.exports(), request.user, "export.unblind")
    page = Paginator(selectors.waiting(rows), 25).get_page(request.GET.get("page"))
    return render(request, "reporting/exports_waiting.html", {"page": page})


@form_methods
def export_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Agree that an unblinded export is made, or decline it."""
    row = permissions.fetched(selectors.exports(), request.user, "export.unblind", pk=pk)
    form = UnblindingForm(sent(request))

    def decide(values: dict) -> str:
        act = unblinding.approve if values["decision"] == "approve" else unblinding.decline
        act(row, reason=values["reason"], by=request.user)
        return reverse("export", args=[row.pk])

    done = perform(request, form, decide)
    context = {
        "form": form,
        "export": row,
        "is_own": row.requested_by_id == request.user.pk,
        "formats": [CHOICES[name] for name in row.formats],
        "page": ActPage(
            title=f"Unblinded export {row.pk}: decide",
            submit="Decide",
            cancel=reverse("export", args=[row.pk]),
            about=f"{row.trial}: {row.reason}",
            about_address=reverse("export", args=[row.pk]),
        ),
    }
    return done or form_page(request, "reporting/export_decide.html", context)


@form_methods
def export_new(request: HttpRequest) -> HttpResponse:
    """Order an export of a trial."""
    permissions.require_somewhere(request.user, "export.create")
    wanted = request.GET.get("trial", "")
    trial = selectors.exportable_trials(request.user).filter(identifier=wanted).first()
    known = {name: request.GET[name] for name in PREFILLED if request.GET.get(name)}
    form = ExportForm(sent(request), by=request.user, initial={**known, "trial": trial})

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
        "is_stopped": row.standing in (Export.State.CANCELLED, Export.State.FAILED),
        "progress": selectors.progress_of(row),
        "attempts": jobs.MAXIMUM_ATTEMPTS,
        "is_frozen": row.standing == Export.State.FROZEN,
        "datasets": DATASETS.values(),
        "formats": [CHOICES[name] for name in row.formats],
        "files": list(map(_listed, row.manifest.get("files", []))),
        "signature_name": deliveries.signature_name(row),
        "earlier": selectors.frozen_before(row)[:20],
        "may_decide": row.standing == Export.State.WAITING
        and request.user.may_for("export.unblind", row.scope()),
        "is_own": row.requested_by_id == request.user.pk,
        "downloads": row.downloads.select_related("by")[:50],
        "may": rights(request.user, row.scope(), "export.create"),
        "submission": fresh_submission(),
        "reports": _reports(request, row),
        **_rebuilds(row),
    }
    partial = request.htmx and not request.htmx.boosted
    name = "reporting/_export.html" if partial else "reporting/export.html"
    return render(request, name, context)


def _reports(request: HttpRequest, row: Export) -> list[reports.Listed]:
    """The reports that a frozen export can make; none for whoever may not have its rows."""
    is_told = row.standing == Export.State.FROZEN and request.user.may_for(
        "report.view", row.scope()
    )
    try:
        return reports.of_export(row, by=request.user) if is_told else []
    except Forbidden:
        return []


def _rebuilds(row: Export) -> dict:
    """What is shown of the times an export was made once more, and whether one is under way."""
    found = [
        {
            "row": one,
            "message": selectors.message_of(one),
            "progress": selectors.progress_of(one),
            "others": [file for file in one.files if file["was"] != file["made"]],
        }
        for one in selectors.rebuilds(row)[:10]
    ]
    moving = [one for one in found if one["row"].standing == ExportRebuild.State.REQUESTED]
    return {"rebuilds": found, "is_rebuilding": bool(moving)}


@require_POST
def export_rebuild(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a frozen export made once more from the audit trail."""
    return _acted(request, pk, rebuilds.request, "#rebuilds")


@require_POST
def export_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Call off an export that is not frozen yet."""
    return _acted(request, pk, services.cancel)


@require_POST
def export_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin a cancelled or failed export again."""
    return _acted(request, pk, services.resume)


def _acted(
    request: HttpRequest, pk: int, act: Callable[..., object], part: str = ""
) -> HttpResponse:
    """Do something with an export, and go back to its page."""
    row = permissions.fetched(selectors.exports(), request.user, "export.create", pk=pk)

    def done() -> str:
        act(row, by=request.user)
        return reverse("export", args=[row.pk]) + part

    return redirect(once(request, done))


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


@require_safe
def export_signature(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The detached signature of the digests."""
    return answered(request, deliveries.signature(_export(request, pk), by=request.user))


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
    found = opening.differences(newer, older, by=request.user)
    context = {"export": newer, "older": older, "differences": found}
    return render(request, "reporting/differences.html", context)


@require_GET
def export_differences_file(request: HttpRequest, pk: int) -> HttpResponse:
    newer, older = _export(request, pk), _since(request)
    return differences_as_file(
        newer, older, opening.differences_file(newer, older, by=request.user)
    )


@require_GET
def export_changes_file(request: HttpRequest, pk: int) -> HttpResponse:
    """What makes the newer export of an earlier one: rows and tombstones, zipped."""
    newer, older = _export(request, pk), _since(request)
    content = increments.all_files(newer, older, by=request.user)
    return differences_as_file(newer, older, content, ".zip")


def differences_as_file(
    newer: Export, older: Export, content: bytes, suffix: str = ".csv"
) -> HttpResponse:
    """Everything that differs as a file to keep."""
    name = f"{newer.trial.identifier}-exports-{older.pk}-to-{newer.pk}{suffix}"
    response = HttpResponse(content, content_type=deliveries.KINDS[Path(name).suffix])
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
