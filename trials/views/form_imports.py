"""Files of form values: sent, shown row by row, confirmed."""

from __future__ import annotations

import csv
import io

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from trials import import_rows, permissions
from trials.forms import FormImportConfirmForm, FormImportForm, RedcapDictionaryForm
from trials.models import FormImport, Trial
from trials.selectors import form_imports as selectors
from trials.services import form_import_plans
from trials.services import form_imports as services
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, sent

ROWS_ON_A_PAGE = 100
State = FormImport.State


@require_safe
def form_imports(request: HttpRequest) -> HttpResponse:
    """The files that were sent, the newest first."""
    rows = permissions.listed(selectors.rows(), request.user, "form.import")
    context = {
        "page": Paginator(rows, 25).get_page(request.GET.get("page")),
        "templates": selectors.forms_to_import(request.user),
    }
    return render(request, "trials/form_imports.html", context)


@form_methods
def form_import_new(request: HttpRequest) -> HttpResponse:
    """Send a file; what it would do is shown before anything is entered."""
    permissions.require_somewhere(request.user, "form.import")
    known = selectors.forms_to_import(request.user)
    choices = [
        (str(trial), [(f"{trial.pk}:{name}", label) for name, label in forms.items()])
        for trial, forms in known.items()
    ]
    form = FormImportForm(sent(request), request.FILES or None, choices=choices)

    def send(found: dict) -> str:
        pk, _, name = found["about"].partition(":")
        trial = next(one for one in known if one.pk == int(pk))
        file = found["file"]
        row = services.receive(
            trial,
            form=name,
            content=file.read(),
            file_name=file.name,
            source=found["source"],
            import_id=found["import_id"] or file.name[-services.LONGEST_NAME :],
            by=request.user,
            reading=form.reading(),
        )
        return reverse("form_import", args=[row.pk])

    done = perform(request, form, send)
    return done or form_page(request, "trials/form_import_new.html", {"form": form})


@form_methods
def form_import(request: HttpRequest, pk: int) -> HttpResponse:
    """What a file does, row by row; beneath it, the act that enters it."""
    row = permissions.fetched(selectors.rows(), request.user, "form.import", pk=pk)
    form = FormImportConfirmForm(
        sent(request),
        changes=bool(row.counts.get(form_import_plans.CHANGED)),
        initial={"digest": row.plan_sha256},
    )

    def confirm(found: dict) -> str:
        services.confirm(row, by=request.user, **found)
        return reverse("form_import", args=[row.pk])

    done = perform(request, form, confirm)
    act, number = request.GET.get("act", ""), request.GET.get("line", "")
    planned = [
        one
        for one in row.plan.get("rows", ())
        if (not act or one["act"] == act) and (not number or str(one["line"]) == number)
    ]
    entries = selectors.entries_by_line(row)
    page = Paginator(planned, ROWS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "row": row,
        "label": services.forms_of(row.trial).get(row.form, row.form),
        "repeats": getattr(selectors.newest_form(row.trial, row.form), "is_repeating", False),
        "page": page,
        "shown": [(one, entries.get(one["line"])) for one in page],
        "act": act,
        "line": number,
        "counts": [(name, row.counts.get(name, 0)) for name in form_import_plans.ACTS],
        "form": form,
        "job": selectors.job_of(row),
        "is_open": row.state == State.READ
        and not row.counts[form_import_plans.REFUSED]
        and bool(row.counts[form_import_plans.NEW] or row.counts[form_import_plans.CHANGED]),
        "is_moving": row.state in (State.READING, State.ENTERING),
    }
    return done or form_page(request, "trials/form_import.html", context)


@form_methods
def redcap_forms(request: HttpRequest) -> HttpResponse:
    """A draft of forms for a trial file, out of a data dictionary of REDCap. Nothing is kept."""
    permissions.require_somewhere(request.user, "trial.load")
    form = RedcapDictionaryForm(sent(request), request.FILES or None)
    if request.method == "POST" and form.is_valid():
        response = HttpResponse(form.text, content_type="application/yaml; charset=utf-8")
        response["Content-Disposition"] = content_disposition_header(
            as_attachment=True, filename="forms.yaml"
        )
        return response
    page = ActPage(
        "Draft forms from REDCap",
        "Download the draft",
        reverse("trial_upload"),
        "Load a trial file",
        reverse("trial_upload"),
        intro="What can't be carried over stands as comments at its beginning. Put the forms into "
        "the trial file, name their visits, and load it; REDCap's records can then be sent as a "
        "file of form values.",
        has_file=True,
    )
    return act_page(request, form, page)


@require_safe
def form_template(request: HttpRequest, identifier: str, form: str) -> HttpResponse:
    """The empty file of a form: its columns and nothing else."""
    trial = permissions.fetched(Trial.objects, request.user, "form.import", identifier=identifier)
    found = selectors.newest_form(trial, form)
    if found is None:
        raise Http404
    text = io.StringIO()
    csv.writer(text).writerow(import_rows.columns_of(found))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"{trial.identifier}-{form}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response
