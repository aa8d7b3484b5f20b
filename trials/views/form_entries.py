"""Case report forms: what is asked of a patient, one form, and the acts on it."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from trials import case_report_forms, permissions
from trials.forms import (
    REASON,
    REVISION,
    CaseReportForm,
    FormSignForm,
    FormVerifyForm,
    ReasonForm,
)
from trials.models import EVERY_SITE, Deviation, FormEntry, ItemValue, Patient
from trials.selectors import form_entries as selectors
from trials.selectors import subjects
from trials.services import form_entries as services
from trials.services import form_reviews, panel_rights
from trials.services.errors import Refused
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    form_page,
    fresh_submission,
    once,
    perform,
    rights,
    sent,
)

State = FormEntry.State
RIGHTS = (
    "form.record",
    "form.sign",
    "form.verify",
    "query.open",
    "query.view",
    "audit.view",
)
DUE = "due"
STATES = [("", "All"), *State.choices, (DUE, "Report due")]


@require_safe
def form_list(request: HttpRequest) -> HttpResponse:
    """Forms of the user's sites by their state; those with a report due, the soonest first."""
    every = selectors.rows().filter(is_of_panel=False)
    rows = permissions.listed(every, request.user, "form.view")
    state = request.GET.get("state", "")
    if state == DUE:
        rows = rows.filter(report_due_at__isnull=False).order_by("report_due_at", "pk")
    else:
        rows = rows.order_by("-pk")
        rows = rows.filter(state=state) if state in State.values else rows
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(row, services.form_of(row).label) for row in page],
        "state": state,
        "states": STATES,
        "now": timezone.now(),
        "may_import": request.user.may("form.import"),
    }
    return render(request, "trials/form_entries.html", context)


@require_safe
def patient_forms(request: HttpRequest, pk: int) -> HttpResponse:
    """What is asked of a patient, by visit, and how far it is."""
    row = permissions.fetched(
        Patient.objects.select_related("trial", "site"), request.user, "form.view", pk=pk
    )
    context = {
        "patient": row,
        "lines": selectors.lines_of(row),
        "may": rights(request.user, row.scope(), "form.record"),
        "is_open": row.state in {Patient.State.SCREENING, Patient.State.ENROLLED},
        "submission": fresh_submission(),
    }
    return render(request, "trials/patient_forms.html", context)


@require_POST
def form_begin(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """Begin a form, or go on with the one that was begun."""
    rows = Patient.objects.select_related("trial", "site")
    permission = services.permission_to_begin(pk, form)
    patient = permissions.fetched(rows, request.user, permission, pk=pk)
    visit = request.POST.get("visit", "")

    def begin() -> str:
        return _page_of(services.begin(patient, form=form, visit=visit, by=request.user))

    return redirect(once(request, begin))


@form_methods
def form_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """One form: to fill in while it is a draft, else to read, with the history of each value."""
    permission = "form.record" if request.method == "POST" else "form.view"
    entry = _entry(request, permission, pk)
    may = _rights(request, entry)
    # A file has the patients of every site.
    may |= rights(request.user, (entry.patient.trial_id, EVERY_SITE), "form.import")
    if request.method == "GET" and not (may["form_record"] and entry.state == State.DRAFT):
        return _read(request, entry, may)
    form = _draft_form(request, entry)

    def act(found: dict) -> str:
        do = services.complete if "complete" in request.POST else services.save_draft
        do(entry, given=form.given(), revision=found[REVISION], by=request.user)
        return _page_of(entry)

    done = perform(request, form, act)
    _take_newest(form, entry)
    context = {"entry": entry, "form": form, "asked": form.asked, "may": may, "is_draft": True}
    context |= {"visit_label": _visit_label(entry), "revision": form[REVISION]}
    return done or form_page(request, "trials/form_entry.html", context)


@require_POST
def form_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what is typed, asked for by the page every few seconds."""
    entry = _entry(request, "form.record", pk)
    form = _draft_form(request, entry)
    if not form.is_valid():
        return JsonResponse({"message": "The page is out of date: open it again."}, status=422)
    given, revision = form.given(), form.cleaned_data[REVISION]
    try:
        draft = services.save_draft(entry, given=given, revision=revision, by=request.user)
    except Refused as refusal:
        return JsonResponse(
            {"message": refusal.message, "code": refusal.code}, status=refusal.status
        )
    return JsonResponse({"revision": draft.revision, "saved_at": draft.saved_at.isoformat()})


@form_methods
def form_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Change items of a complete form, with the reason."""
    entry = _entry(request, "form.record", pk)
    standing = services.standing_of(entry)
    form = _form(request, entry, standing, entry.revision)
    form.fields[REASON] = ReasonForm.base_fields["reason"]
    form.field_of = {"reason": REASON}

    def correct(found: dict) -> str:
        services.correct(
            entry,
            given=form.changed_given(standing),
            revision=found[REVISION],
            reason=found[REASON],
            by=request.user,
        )
        return _page_of(entry)

    done = perform(request, form, correct)
    _take_newest(form, entry)
    context = {"entry": entry, "form": form, "asked": form.asked, "is_draft": False}
    context["reason"] = form[REASON]
    context |= {"visit_label": _visit_label(entry), "revision": form[REVISION]}
    return done or form_page(request, "trials/form_entry.html", context)


@form_methods
def form_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a form back that should not have been filled in."""
    entry = _entry(request, "form.record", pk)
    form = ReasonForm(sent(request))

    def undo(found: dict) -> str:
        services.undo(entry, by=request.user, **found)
        return reverse(
            "panel_patient" if entry.is_of_panel else "patient_forms", args=[entry.patient_id]
        )

    done = perform(request, form, undo)
    intro = "It is no longer exported and a new one may be begun; what is in it stays readable."
    return done or act_page(request, form, _act(entry, "Take the form back", intro, is_grave=True))


@form_methods
def form_sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign a complete form."""
    entry = _entry(request, "form.sign", pk)
    form = FormSignForm(sent(request), initial={"revision": entry.revision})

    def sign(found: dict) -> str:
        form_reviews.sign(entry, by=request.user, **found)
        return _page_of(entry)

    done = perform(request, form, sign)
    opened = selectors.opened(entry)
    context = {"opened": opened, "entry": entry, "form": form, "act": "Sign"}
    context["meaning"] = form_reviews.Signature.Meaning.FORM.label
    return done or form_page(request, "trials/form_review.html", context)


@form_methods
def form_verify(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark values as compared with their source."""
    entry = _entry(request, "form.verify", pk)
    opened = selectors.opened(entry)
    rows = {f"{one.row.pk}:{one.digest}": one for one in opened.fields if one.shown}
    choices = [(key, f"{one.item.label}: {one.shown}") for key, one in rows.items()]
    form = FormVerifyForm(
        sent(request),
        choices=choices,
        initial={"seen": [key for key, one in rows.items() if not one.is_verified]},
    )

    def verify(found: dict) -> str:
        seen = {rows[key].row: rows[key].digest for key in found["seen"]}
        form_reviews.verify(entry, seen=seen, note=found["note"], by=request.user)
        return _page_of(entry)

    done = perform(request, form, verify)
    intro = "The marks fall when a value changes."
    return done or act_page(request, form, _act(entry, "Verify", intro))


def _read(request: HttpRequest, entry: FormEntry, may: dict[str, bool]) -> HttpResponse:
    opened = selectors.opened(entry)
    is_signed = (
        any(one.signed_by_id == request.user.pk for one in opened.signatures)
        if entry.is_of_panel
        else opened.is_signature_standing
    )
    context = {"opened": opened, "entry": entry, "may": may, "now": timezone.now()}
    context["may_sign"] = not is_signed
    if entry.is_of_panel:
        # The panel, which acknowledges them, has no list of deviations.
        keys = {
            FormEntry._meta.db_table: [entry.pk],
            ItemValue._meta.db_table: [one.pk for one in entry.values.all()],
        }
        context["deviations"] = subjects.about(Deviation.objects.all(), keys)
    return render(request, "trials/form_entry_read.html", context)


def _entry(request: HttpRequest, permission: str, pk: int) -> FormEntry:
    return selectors.fetched(request.user, permission, pk)


def _rights(request: HttpRequest, entry: FormEntry) -> dict[str, bool]:
    """What the user may do with the form, by the names that forms have elsewhere."""
    asked = {one: panel_rights.permission_for(one, is_of_panel=entry.is_of_panel) for one in RIGHTS}
    held = rights(request.user, entry.scope(), *asked.values())
    return {_word(one): held[_word(taken)] for one, taken in asked.items()}


def _word(permission: str) -> str:
    return permission.replace(".", "_")


def _draft_form(request: HttpRequest, entry: FormEntry) -> CaseReportForm:
    return _form(request, entry, entry.draft.given, entry.draft.revision)


def _form(request: HttpRequest, entry: FormEntry, given: dict, revision: int) -> CaseReportForm:
    return CaseReportForm(
        sent(request),
        asked=services.form_of(entry),
        zone=entry.patient.site.time_zone,
        given=given,
        revision=revision,
    )


def _take_newest(form: CaseReportForm, entry: FormEntry) -> None:
    """After a conflict the page is of the newest state: sent again, it is what the user wants."""
    if form.theirs is not None:
        now = FormEntry.objects.select_related("draft").get(pk=entry.pk)
        newest = now.draft.revision if now.state == State.DRAFT else now.revision
        form.data = form.data.copy()
        form.data[REVISION] = newest


def _page_of(entry: FormEntry) -> str:
    return reverse("form_entry", args=[entry.pk])


def _visit_label(entry: FormEntry) -> str:
    return case_report_forms.visit_labels(entry.version.definition).get(entry.visit, entry.visit)


def _act(entry: FormEntry, act: str, intro: str, *, is_grave: bool = False) -> ActPage:
    address, label = _page_of(entry), services.form_of(entry).label
    return ActPage(
        f"{act}: {label}",
        act,
        address,
        f"{label} of patient {entry.patient}",
        address,
        intro,
        is_grave,
    )
