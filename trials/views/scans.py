"""Scans: planned, prepared, injected, and what became of their images."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from trials import permissions
from trials.forms import (
    CancelForm,
    InjectionCorrectionForm,
    InjectionForm,
    RescheduleForm,
    ScanForm,
)
from trials.models import (
    Deviation,
    EligibilityAssessment,
    EligibilityCriterion,
    Injection,
    Patient,
    Query,
    ScheduledScan,
)
from trials.selectors import eligibility as selectors
from trials.selectors import evidence, injection_versions, subjects
from trials.selectors import scan_day as selectors_day
from trials.services import assessments, injections, scan_day, verdicts
from trials.services import scans as services
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

Gate = EligibilityCriterion.Gate
SCAN_GATES = (Gate.PRE_INJECTION, Gate.PER_SCAN)
RIGHTS = (
    "scan.schedule",
    "evidence.record",
    "eligibility.view",
    "eligibility.assess",
    "injection.record",
    "images.upload",
    "images.view",
    "query.view",
    "query.open",
    "deviation.view",
    "deviation.record",
    "audit.view",
    "form.view",
    "finding.view",
)


@form_methods
def scan_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a planned scan a time."""
    patient = permissions.fetched(
        Patient.objects.select_related("trial", "site"), request.user, "scan.schedule", pk=pk
    )
    form = ScanForm(
        sent(request),
        plans=patient.site.version_in_force.planned_scans.select_related("tracer"),
        zone=patient.site.time_zone,
    )

    def schedule(found: dict) -> str:
        services.schedule(patient, by=request.user, **found)
        return reverse("patient", args=[patient.pk])

    done = perform(request, form, schedule)
    return done or form_page(request, "trials/scan_new.html", {"form": form, "patient": patient})


@form_methods
def scan_reschedule(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a scan that has not begun another time."""
    row = _scan(request, pk, "scan.schedule")
    form = RescheduleForm(
        sent(request), zone=row.patient.site.time_zone, initial={"planned_at": row.planned_at}
    )

    def reschedule(found: dict) -> str:
        services.reschedule(row, by=request.user, **found)
        return reverse("scan", args=[row.pk])

    done = perform(request, form, reschedule)
    return done or form_page(request, "trials/scan_reschedule.html", {"form": form, "scan": row})


@require_safe
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """One scan: planned and actual, its gate, its syringe, its images, what was said of it."""
    row = _scan(request, pk, "patient.view")
    may = rights(request.user, row.scope(), *RIGHTS)
    context = {
        "scan": row,
        "patient": row.patient,
        "injection": _injection(row),
        "uptake": selectors_day.uptake(row),
        "statement": None if _injection(row) else selectors_day.statement_of(row),
        "may": may,
        "gates": _gates(row),
        "facts": evidence.facts_of(row.patient, scheduled_scan=row),
        "submission": fresh_submission(),
    }
    if row.state == ScheduledScan.State.SCHEDULED and (
        may["injection_record"] or may["eligibility_view"]
    ):
        day = selectors_day.likely(row, by=request.user)
        context["conditions"] = scan_day.conditions(row, day)
    if context["injection"]:
        context["judgements"] = injections.judgements(context["injection"])
        context["versions"] = injection_versions.versions_of(context["injection"])
        context["beside"] = selectors_day.beside(row)
        context["scanner_problems"] = selectors_day.scanner_problems(context["injection"])
    if may["eligibility_view"]:
        context["assessed"] = _assessed(row)
    if may["images_view"]:
        context["transmittals"] = row.transmittals.all()
    if may["images_upload"]:
        context["unfinished"] = selectors_day.unfinished_upload(row)
    keys = subjects.keys_of_scan(row)
    if may["query_view"]:
        context["queries"] = subjects.about(Query.objects.all(), keys)
    if may["deviation_view"]:
        context["deviations"] = subjects.about(Deviation.objects.all(), keys)
    return render(request, "trials/scan.html", context)


@require_POST
def scan_assess(request: HttpRequest, pk: int) -> HttpResponse:
    """Judge the criteria of one of the scan's gates."""
    row = _scan(request, pk, "eligibility.assess")
    gate = request.POST.get("gate", Gate.PRE_INJECTION)
    if gate not in SCAN_GATES:
        raise Http404

    def act() -> str:
        found = assessments.assess(row.patient, gate=gate, by=request.user, scheduled_scan=row)
        return reverse("assessment", args=[found.pk])

    return redirect(once(request, act))


@form_methods
def scan_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel a scan that has no images; the plan can be scheduled again."""
    row = _scan(request, pk, "scan.schedule")
    form = CancelForm(sent(request))

    def cancel(found: dict) -> str:
        services.cancel(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, cancel)
    intro = "The tracer was given already: this becomes a deviation." if _injection(row) else ""
    page = ActPage(
        "Cancel the scan", "Cancel the scan", _page_of(row), str(row), _page_of(row), intro, True
    )
    return done or act_page(request, form, page)


@form_methods
def injection_new(request: HttpRequest, pk: int) -> HttpResponse:
    """The gate of the day, and the injection as it happened, on the clock of the site."""
    row = _scan(request, pk, "injection.record")
    day = selectors_day.likely(row, by=request.user)
    form = InjectionForm(
        sent(request),
        site=row.patient.site,
        statement=selectors_day.statement_of(row),
        initial=selectors_day.prefilled(row, day),
    )

    def record(found: dict) -> str:
        injections.record(row, by=request.user, **found)
        return f"{_page_of(row)}#injection"

    done = perform(request, form, record)
    context = {
        "form": form,
        "scan": row,
        "patient": row.patient,
        "conditions": scan_day.conditions(row, day),
        "facts": evidence.facts_of(row.patient, scheduled_scan=row),
        "may": {},
    }
    return done or form_page(request, "trials/injection_new.html", context)


@form_methods
def injection_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct the injection with a reason; the version before stays in the trail."""
    row = _scan(request, pk, "injection.record")
    found = _injection(row)
    if found is None:
        raise Http404
    form = InjectionCorrectionForm(
        sent(request),
        site=row.patient.site,
        statement=selectors_day.statement_of(row),
        initial=selectors_day.as_recorded(found),
    )

    def correct(given: dict) -> str:
        injections.correct(found, by=request.user, **given)
        return f"{_page_of(row)}#injection"

    done = perform(request, form, correct)
    page = ActPage(
        "Correct the injection",
        "Correct",
        _page_of(row),
        str(row),
        _page_of(row),
        intro="What is computed from it is computed anew; what was computed stays readable.",
    )
    return done or act_page(request, form, page)


def _injection(row: ScheduledScan) -> Injection | None:
    return getattr(row, "injection", None)


def _scan(request: HttpRequest, pk: int, permission: str) -> ScheduledScan:
    rows = ScheduledScan.objects.select_related(
        "patient__trial",
        "patient__site",
        "planned_scan__tracer",
        "planned_scan__version__trial",
        "injection__recorded_by",
        "injection__injected_by",
        "injection__batch",
        "injection__scanner",
        "header_statement",
    ).prefetch_related("evidence", "transmittals__series")
    return permissions.fetched(rows, request.user, permission, pk=pk)


def _gates(row: ScheduledScan) -> list[tuple[str, str]]:
    """The gates of the scan that have criteria to judge."""
    version = row.planned_scan.version
    return [
        (gate.value, gate.label) for gate in SCAN_GATES if assessments.criteria_of(version, gate)
    ]


def _assessed(row: ScheduledScan) -> list[tuple[EligibilityAssessment, bool]]:
    """The newest assessment of each gate, and whether it still stands."""
    return [
        (one, one == verdicts.in_force(row.patient, gate=one.gate, scheduled_scan=row))
        for one in selectors.newest_of_scan(row)
    ]


def _page_of(row: ScheduledScan) -> str:
    return reverse("scan", args=[row.pk])
