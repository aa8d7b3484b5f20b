"""Imaging pages: upload, ledger, series, blinded reading, derivations."""

from __future__ import annotations

from collections.abc import Callable

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import (
    require_GET,
    require_POST,
    require_safe,
)
from django_htmx.http import HttpResponseClientRefresh

from imaging import selectors
from imaging.forms import AssignForm, DecisionForm, NodeChangeForm, NodeForm
from imaging.models import (
    ConformanceFinding,
    DicomNode,
    DicomObject,
    Lesion,
    MeasuredRegion,
    Picture,
    Quantification,
    ReferenceRegion,
    Series,
    Transmittal,
)
from imaging.selectors import candidates, derivations, pictures, reads, released, waiting, written
from imaging.services import (
    assignment,
    inspection,
    nodes,
    reconciliation,
    reviews,
    trying,
)
from imaging.views.measured import measured
from trials import permissions
from trials.forms import ActForm, ReasonForm
from trials.models import ProtocolVersion, ScheduledScan, Site
from trials.services.errors import Invalid, Refused
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent

# Not a state: those that stay in theirs longer than they should.
LATE = "late"
MOVING = {"received", "inspected", "released"}


@require_safe
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """The page on which a site drops the folder of a scan."""
    scan = permissions.fetched(
        ScheduledScan.objects.select_related("patient__site", "patient__trial", "planned_scan"),
        request.user,
        "images.upload",
        pk=pk,
    )
    context = {"scan": scan, "transmittals": scan.transmittals.all()[:10]}
    return render(request, "imaging/upload.html", context)


@require_safe
def transmittals(request: HttpRequest) -> HttpResponse:
    """The ledger: what was sent, and how far it has come."""
    rows = permissions.listed(Transmittal.objects, request.user, "images.view").select_related(
        "site", "scheduled_scan__patient__site", "scheduled_scan__planned_scan", "sent_by"
    )
    state = request.GET.get("state", "")
    if state == LATE:
        rows = waiting.late(rows)
    elif state in Transmittal.State.values:
        rows = rows.filter(state=state)
    page = Paginator(waiting.with_lateness(rows), 25).get_page(request.GET.get("page"))
    states = [*Transmittal.State.choices, (LATE, "longer than it should")]
    context = {"page": page, "state": state, "states": states}
    return render(request, "imaging/transmittals.html", context)


@require_safe
def transmittal(request: HttpRequest, pk: int) -> HttpResponse:
    """One transmittal: its way, its files, what was refused and what to do."""
    row = _transmittal(request, pk)
    form = DecisionForm(may_release=inspection.may_be_released(row))
    context = _ledger(request, row) | {"form": form}
    partial = request.htmx and not request.htmx.boosted
    if partial and context["may_decide"]:
        # The form to decide stands outside the part that is polled.
        return HttpResponseClientRefresh()
    name = "imaging/_transmittal.html" if partial else "imaging/transmittal.html"
    return render(request, name, context)


@require_POST
def transmittal_decide(request: HttpRequest, pk: int) -> HttpResponse:
    row = _transmittal(request, pk)
    form = DecisionForm(request.POST, may_release=inspection.may_be_released(row))
    if form.is_valid():
        try:
            inspection.decide(row, by=request.user, **form.cleaned_data)
        except Invalid as refusal:
            form.add_error(refusal.field, refusal.message)
        except Refused as refusal:
            if refusal.code != inspection.NOT_RELEASABLE:
                raise
            form.add_error(None, refusal.message)
        else:
            return redirect("transmittal", pk=row.pk)
    permissions.require(request.user, "images.decide", row)
    context = _ledger(request, row) | {"form": form}
    return render(request, "imaging/transmittal.html", context, status=422)


@form_methods
def transmittal_assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Say which scheduled scan images are of."""
    row = permissions.fetched(
        Transmittal.objects.select_related("site", "scheduled_scan"),
        request.user,
        "images.upload",
        pk=pk,
    )
    scans = candidates.of(row)
    choices = candidates.choices(row)
    form = AssignForm(
        sent(request), scans=scans, choices=choices, is_another=row.scheduled_scan is not None
    )
    address = reverse("transmittal", args=[row.pk])

    def act(found: dict) -> str:
        assignment.assign(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Whose images are these?",
        "Give them to this scan",
        address,
        str(row),
        address,
        intro="The images are inspected again, and held against all that is known of the patient.",
    )
    return done or act_page(request, form, page)


@require_POST
def transmittal_retry(request: HttpRequest, pk: int) -> HttpResponse:
    row = permissions.fetched(Transmittal.objects, request.user, "images.retry", pk=pk)
    assignment.retry(row, by=request.user)
    return redirect("transmittal", pk=row.pk)


@require_safe
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """One image series: what its headers say, how its SUV was computed, its lesions."""
    row = permissions.fetched(
        Series.objects.select_related(
            "imaging_study__scheduled_scan__patient__site",
            "imaging_study__scheduled_scan__planned_scan",
            "transmittal",
            "drawn_on",
        ),
        request.user,
        "images.view",
        pk=pk,
    )
    context = {
        "series": row,
        "scan": row.imaging_study.scheduled_scan,
        "findings": row.findings.filter(is_current=True).select_related("overridden_by"),
        "may_override": request.user.may_for("images.decide", row.scope()),
        "proofs": row.proofs.all(),
        "others": Series.objects.filter(
            imaging_study__scheduled_scan=row.imaging_study.scheduled_scan_id, modality="PT"
        ).exclude(pk=row.pk)
        if row.modality == "PT"
        else [],
    }
    if request.user.may_for("quantification.view", row.scope()):
        run = _run_asked_for(request, row)
        runs = row.quantifications.order_by("-run")
        context |= {"may_see_numbers": True, "may_see_drawings": True, "runs": runs}
        context |= measured(run)
        context["objects"] = written.of_run(run, request.user)
    return render(request, "imaging/series.html", context)


def _run_asked_for(request: HttpRequest, row: Series) -> Quantification | None:
    """An earlier run by its number, which stays readable; the current one unless asked."""
    number = request.GET.get("run", "")
    if not number:
        return selectors.current_quantification(row)
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise Http404
    return get_object_or_404(Quantification, series=row, run=int(number))


@form_methods
def suv_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the candidate of a series hold, with a reason."""
    row = permissions.fetched(
        Series.objects.select_related("imaging_study__scheduled_scan__patient__site"),
        request.user,
        "images.decide",
        pk=pk,
    )
    run = get_object_or_404(Quantification, series=row, is_current=True)
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.pk])

    def act(found: dict) -> str:
        reviews.accept(run, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let the candidate hold",
        "Let it hold",
        address,
        str(row),
        address,
        intro=f"{run.message} With your reason it is measured and flagged.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@form_methods
def series_count(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one of several PET series count for its scan, with a reason."""
    row = permissions.fetched(
        Series.objects.select_related("imaging_study__scheduled_scan__patient__site"),
        request.user,
        "images.decide",
        pk=pk,
    )
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.pk])

    def act(found: dict) -> str:
        reviews.count(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let this series count",
        "Let it count",
        address,
        str(row),
        address,
        intro="It stands for the scan then; the others are kept. The decision ends when another "
        "series that could count comes, or one of these goes.",
    )
    return done or act_page(request, form, page)


@form_methods
def finding_override(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a conformance finding pass, with a reason."""
    row = permissions.fetched(
        ConformanceFinding.objects.select_related(
            "series__imaging_study__scheduled_scan__patient__site"
        ),
        request.user,
        "images.decide",
        pk=pk,
    )
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.series_id])

    def act(found: dict) -> str:
        reconciliation.override(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let it pass",
        "Let it pass",
        address,
        str(row.series),
        address,
        intro=f"{row.text} It stays a finding, and its deviation one; what it asked is closed with "
        "your reason.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@require_safe
def conformance_try(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """What the rules of a protocol version would find otherwise in the archive of a site."""
    site = permissions.fetched(
        Site.objects.select_related("trial"), request.user, "version.activate", pk=pk
    )
    row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
    found, count = trying.rules(row, site=site, by=request.user)
    context = {"site": site, "version": row, "found": found, "count": count}
    return render(request, "imaging/conformance_try.html", context)


@require_safe
def site_nodes(request: HttpRequest, pk: int) -> HttpResponse:
    """What the scanners and archives of a site call, and who called last."""
    site = _site(request, pk, "site.view")
    context = {
        "site": site,
        "nodes": site.dicom_nodes.select_related("contact", "registered_by"),
        "may": rights(request.user, site.scope(), "scanner.manage", "audit.view"),
    }
    return render(request, "imaging/nodes.html", context)


@form_methods
def site_node_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Register a node at a site."""
    site = _site(request, pk, "scanner.manage")
    return _node_act(
        request,
        site,
        NodeForm(sent(request)),
        lambda found: nodes.register(site, by=request.user, **found),
        title="Register a DICOM node",
        submit="Register",
        intro="Whoever calls it by DICOM C-STORE sends to this site.",
    )


@form_methods
def site_node_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Say anew who may call a node."""
    node = _node(request, pk)
    names = ("calling_ae_titles", "allowed_addresses")
    return _node_act(
        request,
        node.site,
        NodeChangeForm(sent(request), initial={name: getattr(node, name) for name in names}),
        lambda found: nodes.change(node, by=request.user, **found),
        title=f"Who may call {node}",
        submit="Change",
    )


@form_methods
def site_node_retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nobody in at a node any more."""
    node = _node(request, pk)
    return _node_act(
        request,
        node.site,
        ReasonForm(sent(request)),
        lambda found: nodes.retire(node, by=request.user, **found),
        title=f"Retire {node}",
        submit="Retire",
        intro="Nobody is let in by this AE title any more, and it is not given again.",
        is_grave=True,
    )


@require_GET
def picture(request: HttpRequest, pk: int) -> HttpResponse:
    row = permissions.fetched(Picture.objects, request.user, "quantification.view", pk=pk)
    response = HttpResponse(pictures.content_of(row), content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@require_safe
def dicom_object(request: HttpRequest, pk: int) -> HttpResponse:
    """Segmentation, report or map of values, as a file."""
    rows = DicomObject.objects.select_related("quantification__series__imaging_study")
    row = permissions.fetched(
        written.seen_by(rows, request.user),
        request.user,
        "objects.view",
        pk=pk,
    )
    response = HttpResponse(released.object_of(row), content_type="application/dicom")
    series = row.quantification.series.reading_identifier
    read = f"-read-{row.read_id}" if row.read_id else ""
    name = f"{series}-run-{row.quantification.run}{read}-{row.kind}.dcm"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def derivation(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number came about, from the page back to the voxel and the syringe."""
    lesion = permissions.fetched(
        Lesion.objects.select_related("quantification__series__transmittal"),
        request.user,
        "quantification.view",
        pk=pk,
    )
    return _derivation(request, lesion, quantity)


@require_safe
def derivation_grown(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number of a region came about that a reader grew."""
    return _derivation(request, reads.grown_seen_by(request.user, pk), quantity)


def _derivation(request: HttpRequest, lesion: MeasuredRegion, quantity: str) -> HttpResponse:
    with_origin = request.user.may_for("images.view", lesion.scope())
    node = derivations.derivation_of(lesion, quantity, with_origin=with_origin)
    context = {"node": node, "lesion": lesion, "series": lesion.quantification.series}
    return render(request, "imaging/derivation.html", context)


@require_safe
def region_derivation(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number of a reference region came about."""
    region = permissions.fetched(
        ReferenceRegion.objects.select_related("quantification__series__transmittal"),
        request.user,
        "quantification.view",
        pk=pk,
    )
    with_origin = request.user.may_for("images.view", region.scope())
    node = derivations.region_derivation(region, quantity, with_origin=with_origin)
    context = {"node": node, "series": region.quantification.series}
    return render(request, "imaging/derivation.html", context)


def _node_act(
    request: HttpRequest,
    site: Site,
    form: ActForm,
    act: Callable[[dict], object],
    *,
    title: str,
    submit: str,
    **more,
) -> HttpResponse:
    """A form about the nodes of a site that leads back to them."""
    address = reverse("site_nodes", args=[site.pk])

    def performed(found: dict) -> str:
        act(found)
        return address

    done = perform(request, form, performed)
    page = ActPage(title, submit, address, f"Site {site}, {site.trial}", address, **more)
    return done or act_page(request, form, page)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )


def _node(request: HttpRequest, pk: int) -> DicomNode:
    rows = DicomNode.objects.select_related("site__trial")
    return permissions.fetched(rows, request.user, "scanner.manage", pk=pk)


def _transmittal(request: HttpRequest, pk: int) -> Transmittal:
    return permissions.fetched(
        waiting.with_lateness(
            Transmittal.objects.select_related(
                "site",
                "scheduled_scan__patient__site",
                "scheduled_scan__planned_scan",
                "sent_by",
            )
        ),
        request.user,
        "images.view",
        pk=pk,
    )


def _ledger(request: HttpRequest, row: Transmittal) -> dict:
    return {
        "transmittal": row,
        "scan": row.scheduled_scan,
        "advice": waiting.advice_of(row) if row.is_late else "",
        "counts": selectors.file_counts(row),
        "refusals": selectors.refusals(row),
        "job": selectors.newest_job(row),
        "series_list": selectors.series_of(row),
        "is_moving": row.state in MOVING or _measuring(row),
        "incidents": row.privacy_incidents.all()
        if request.user.may_for("incident.view", row.scope())
        else [],
        "may_report": row.state != Transmittal.State.RECEIVING
        and request.user.may_for("incident.report", row.scope()),
        "may_assign": row.state == Transmittal.State.QUARANTINED
        and request.user.may_for("images.upload", row.scope()),
        "may_retry": row.state == Transmittal.State.QUARANTINED
        and row.scheduled_scan is not None
        and request.user.may_for("images.retry", row.scope()),
        "may_decide": row.state == Transmittal.State.QUARANTINED
        and request.user.may_for("images.decide", row.scope()),
    }


def _measuring(row: Transmittal) -> bool:
    return selectors.series_of(row).filter(modality="PT", state=Series.State.ASSEMBLED).exists()
