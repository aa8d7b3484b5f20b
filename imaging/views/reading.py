"""The reader's pages: series to read, slices and regions of one, the signature.

Blinded: nothing here names a patient, a site, a day or another reader's work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from imaging import selectors
from imaging.forms import OpenReadForm, RegionDecisionForm, RegionForm
from imaging.models import (
    GrownLesion,
    LesionRead,
    MeasuredRegion,
    Quantification,
    Read,
    ReferenceRegion,
    Series,
)
from imaging.ratios import Ratio
from imaging.selectors import adjudications, adrenals, positivity
from imaging.selectors import reads as selecting
from imaging.selectors import regions as region_selectors
from imaging.services import growing, reads, regions, response_answers, viewing
from imaging.services.ct_volumes import CtRefused
from imaging.slices import Plane
from imaging.views import placing, under_slices
from imaging.views.measured import measured
from trials import permissions, segmentation_methods
from trials.forms import SignForm
from trials.models import Signature
from trials.selectors import counted_reads, findings
from trials.services import signatures
from trials.services.errors import Invalid, Refused
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    form_page,
    fresh_submission,
    perform,
    sent,
)

# The SUV drawn black.
WINDOWS = (5, 10, 20)
AGAIN = (
    "What you signed stands until you sign the new read, which then takes its place. Every region "
    "is undecided again."
)
SERIES = Series.objects.select_related(
    "imaging_study__scheduled_scan__planned_scan__tracer",
    "imaging_study__scheduled_scan__patient__site",
)


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """What a reader may read, by reading identifiers alone, and how far the own read is."""
    rows = selectors.to_read(permissions.listed(Series.objects, request.user, "reading.view"))
    tasks = adjudications.tasks(rows, request.user)
    rows = adjudications.still_to_read(rows, request.user)
    rows = selecting.with_own_read(rows, request.user).order_by("reading_identifier")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    return render(request, "imaging/reading_list.html", {"page": page, "tasks": tasks})


@require_http_methods(["GET", "HEAD", "POST"])
def reading(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """A blinded read: slices, regions and what the reader says of each, reference regions."""
    row = _series(request, reading_identifier)
    form = RegionForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _place(request, row, form):
        return redirect("reading", reading_identifier=reading_identifier)
    return _page(request, row, form=form)


@require_POST
def region_accept(request: HttpRequest, reading_identifier: str, pk: int) -> HttpResponse:
    """Stand for a proposed reference region."""
    row = _series(request, reading_identifier, "region.place")
    region = get_object_or_404(ReferenceRegion, quantification__series=row, pk=pk)
    regions.accept(region, by=request.user)
    return redirect("reading", reading_identifier=reading_identifier)


@form_methods
def opened(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Begin the own read; again after a signed one, with a reason."""
    row = _series(request, reading_identifier, "read.edit")
    address = reverse("reading", args=[reading_identifier])
    run = selectors.current_quantification(row)
    mine = selecting.newest(run, request.user) if run else None
    is_again = mine is not None and mine.state == Read.State.SIGNED
    form = OpenReadForm(sent(request), is_again=is_again)

    def act(found: dict) -> str:
        reads.open_read(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Read it again" if is_again else "Begin the read",
        "Begin",
        address,
        reading_identifier,
        address,
        intro=AGAIN if is_again else "",
    )
    return done or act_page(request, form, page)


@require_POST
def region(request: HttpRequest, reading_identifier: str, number: int) -> HttpResponse:
    """Decide about one region of the own read, and go to the next one that is open."""
    row = _series(request, reading_identifier, "read.edit")
    read = selecting.own_of(row, request.user)
    said = get_object_or_404(LesionRead, read=read, number=number)
    form = _decision_form(row, request.POST)

    def act(found: dict) -> str:
        reads.decide(said, by=request.user, **found)
        return _after(read, number, request.POST)

    return perform(request, form, act) or _page(request, row, decision=form, at=number)


@require_safe
def picture_of_slice(
    request: HttpRequest, reading_identifier: str, plane: str, index: int
) -> HttpResponse:
    """One slice in an SUV window, with the outlines of the own read."""
    row = _series(request, reading_identifier)
    run = _run(row)
    asked = request.GET
    try:
        png = viewing.slice_of(
            run,
            selecting.newest(run, request.user),
            plane=_plane(plane),
            index=index,
            low=_number(asked, "low", 0.0),
            high=_number(asked, "high", 10.0),
            click=_voxel(asked["voxel"]) if "voxel" in asked else None,
            method=placing.method_asked(run, asked),
            ct=under_slices.asked(asked),
        )
    except CtRefused as refusal:
        return JsonResponse(
            {"code": refusal.code, "message": refusal.message}, status=refusal.status
        )
    response = HttpResponse(png, content_type="image/png")
    # Its outlines change with each decision.
    response["Cache-Control"] = "private, no-cache"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def grow(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """What a click takes in, as JSON; sent as a form, it is kept in the own read."""
    if request.method == "POST":
        return _keep(request, reading_identifier)
    row = _series(request, reading_identifier)
    run = _run(row)
    asked = request.GET
    voxel = None
    try:
        voxel = viewing.voxel_at(
            run,
            plane=_plane(asked.get("plane", "")),
            index=int(_number(asked, "slice", -1)),
            x=_number(asked, "x", -1.0),
            y=_number(asked, "y", -1.0),
        )
        found = growing.preview(run, voxel)
        shared = reads.shared_by(run, request.user, found)
    except Refused as refusal:
        said = {"code": refusal.code, "message": refusal.message}
        if voxel:
            said["clicked"] = ",".join(map(str, voxel))
        return JsonResponse(said, status=422)
    one = found.measured
    return JsonResponse(
        {
            "voxel": ",".join(map(str, voxel)),
            "suvmax": one.suvmax,
            "suvmean": one.suvmean,
            "suvpeak": one.suvpeak,
            "volume_ml": one.volume_ml,
            "total_uptake": one.total_uptake,
            "threshold": found.grown.threshold,
            "holds_hotter": found.grown.holds_hotter,
            "partial_volume": one.partial_volume,
            "shares": [{"number": one.number, "volume_ml": one.volume_ml} for one in shared],
        }
    )


@form_methods
def sign(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Sign the own read: what it says, what the signature means, the password."""
    row = _series(request, reading_identifier, "read.sign")
    read = selecting.own_of(row, request.user)
    form = SignForm(sent(request))
    address = reverse("reading", args=[reading_identifier])

    def act(found: dict) -> str:
        reads.sign(read, by=request.user, password=found["password"])
        return address

    done = perform(request, form, act)
    judging = positivity.judging(read.quantification)
    context = {
        "form": form,
        "series": row,
        "read": read,
        "rows": [
            (row, judging.word(row.measured) if judging else "") for row in selecting.rows_of(read)
        ],
        "references": region_selectors.stood_for(read.quantification),
        "adrenals": adrenals.of_read(read),
        "obstacles": reads.obstacles(read),
        "answered": response_answers.answered(read),
        "meaning": Signature.Meaning.READ.label,
    }
    return done or form_page(request, "imaging/reading_sign.html", context)


@require_safe
def signed(request: HttpRequest, pk: int) -> HttpResponse:
    """A signed read, to those who see findings: what was said, found and signed."""
    rows = Read.objects.select_related(
        "quantification__series__imaging_study__scheduled_scan__planned_scan",
        "quantification__series__imaging_study__scheduled_scan__patient__site",
    )
    read = permissions.fetched(
        rows.filter(state=Read.State.SIGNED), request.user, "finding.view", pk=pk
    )
    series = read.quantification.series
    scan = series.imaging_study.scheduled_scan
    found = scan.findings.filter(source_table=Read._meta.db_table, source_pk=read.pk)
    computed = {one.lesion_number: one.result for one in found if one.test == "CMPPOS"}
    context = {
        "read": read,
        "series": series,
        "scan": scan,
        "patient": scan.patient,
        "is_blinded": not findings.may_see(request.user, read),
        "is_as_signed": reads.is_as_signed(read),
        "counted": counted_reads.of_scan(scan),
        "adjudications": adjudications.of_read(read),
        "ended": selecting.ended(read),
        "signature": signatures.of(read),
        "findings": [one for one in found if one.lesion_number is None],
        "rows": [
            (row, _derivations(row.measured), computed.get(row.number, ""))
            for row in selecting.rows_of(read)
        ],
        "adrenals": adrenals.of_read(read),
        "adrenals_at": f"?read={read.pk}",
    }
    return render(request, "imaging/read.html", context)


def _keep(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    row = _series(request, reading_identifier, "read.edit")
    number = request.POST.get("instead_of", "")
    kept = reads.grow(
        selecting.own_of(row, request.user),
        by=request.user,
        voxel=_voxel(request.POST.get("voxel", "")),
        instead_of=int(number) if number.isdecimal() and len(number) < 9 else None,
    )
    return redirect(_address(reading_identifier, kept.number, request.POST))


def _page(
    request: HttpRequest,
    row: Series,
    *,
    form: RegionForm | None = None,
    decision: RegionDecisionForm | None = None,
    at: int | None = None,
) -> HttpResponse:
    """The page of a reading, with whatever form is to be corrected."""
    run = selectors.current_quantification(row)
    context = {"series": row, "form": form or RegionForm(), "may_place": True}
    context |= measured(run, with_lesions=False)
    if run is not None and not context["refused"]:
        compared, in_force = context["compared"], context["regions"]
        context |= _read_of(request, row, run, compared, in_force, decision, at)
    wrong = any(one is not None and one.errors for one in (form, decision))
    status = (decision.refused_with if decision is not None else None) or 422 if wrong else 200
    return render(request, "imaging/reading.html", context, status=status)


@dataclass(frozen=True)
class Row:
    """One region of the table: what is measured, the ratios, and what the reader says of it."""

    number: int
    measured: MeasuredRegion
    # Of SUVmax, SUVpeak and SUVmean to each region; None where noise made the mean negative.
    ratios: list[tuple[Ratio, Ratio, Ratio] | None]
    said: LesionRead | None
    address: str
    # Where the derivations of its numbers begin.
    derivation: str
    # By the protocol's rule; empty where it states none.
    computed: str


def _read_of(
    request: HttpRequest,
    row: Series,
    run: Quantification,
    compared: list[region_selectors.Column],
    in_force: list[ReferenceRegion],
    decision: RegionDecisionForm | None,
    at: int | None,
) -> dict:
    """The own read on a run: its regions, the one that is looked at, the slices, the progress."""
    read = selecting.newest(run, request.user)
    said = selecting.rows_of(read) if read else []
    judging = positivity.judging(run, in_force)
    rows = _rows(row, run, compared, said, request.GET, judging)
    current = _looked_at(rows, at or _integer(request.GET.get("region", "")))
    decided = sum(one.decision != LesionRead.Decision.UNDECIDED for one in said)
    is_draft = read is not None and read.state == Read.State.DRAFT
    shows = is_draft and current is not None and current.said is not None
    if shows and decision is None:
        decision = _decision_form(row, None, initial=_initial(current.said))
    return {
        "read": read,
        "ended": None if read else selecting.last_ended(row, request.user),
        "is_draft": is_draft,
        "rows": rows,
        # SUVmax to uptake, and three ratios to each reference region.
        "columns": 5 + 3 * len(compared),
        "current": current,
        "decision": decision if shows else None,
        "again": _again(current.said) if shows else None,
        "decided": decided,
        "count": len(said),
        "obstacles": reads.obstacles(read) if is_draft else [],
        "answered": response_answers.answered(read) if read else [],
        "submission": fresh_submission(),
        "click": segmentation_methods.click_words(segmentation_methods.click(run.parameters)),
        **_viewer(request, run, current),
        **under_slices.offered(run, request.GET),
    }


def _rows(
    row: Series,
    run: Quantification,
    compared: list[region_selectors.Column],
    said: list[LesionRead],
    asked: QueryDict,
    judging: positivity.Judging | None,
) -> list[Row]:
    """The regions of the own read; before it begins, those of the run."""
    found = [(one.number, one.measured, one) for one in said] or [
        (one.number, one, None) for one in run.lesions.all()
    ]
    return [
        Row(
            number,
            one,
            [region_selectors.ratios_to(region, one) for region in compared],
            words,
            _address(row.reading_identifier, number, asked),
            _derivations(one),
            judging.word(one) if judging else "",
        )
        for number, one, words in found
    ]


def _derivations(one: MeasuredRegion) -> str:
    name = "derivation_grown" if isinstance(one, GrownLesion) else "derivation"
    return reverse(name, args=[one.pk, "suvmax"]).removesuffix("suvmax/")


def _looked_at(rows: list[Row], number: int | None) -> Row | None:
    """The region that was asked for, else the first that is not decided, else the first."""
    asked = [one for one in rows if one.number == number]
    waiting = [one for one in rows if one.said and one.said.decision == "undecided"]
    return next(iter([*asked, *waiting, *rows]), None)


def _viewer(request: HttpRequest, run: Quantification, current: Row | None) -> dict:
    """Which slice is shown, in which window, and how many there are."""
    try:
        counts = viewing.counts(run)
        through = {one: count // 2 for one, count in counts.items()}
        if current:
            through = viewing.through(run, tuple(current.measured.suvmax_voxel))
    except Refused as refusal:
        return {"no_slices": refusal.message}
    plane = request.GET.get("plane", Plane.AXIAL)
    plane = plane if plane in counts else Plane.AXIAL
    index = _integer(request.GET.get("slice", ""))
    index = through[plane] if index is None else min(index, counts[plane] - 1)
    high = _integer(request.GET.get("high", ""))
    return {
        "planes": [
            {"name": name, "label": name.capitalize(), "count": count, "through": through[name]}
            for name, count in counts.items()
        ],
        "plane": plane,
        "slice": index,
        "last": counts[plane] - 1,
        "windows": WINDOWS,
        "high": high if high in WINDOWS else WINDOWS[1],
    }


def _after(read: Read, number: int, asked: QueryDict) -> str:
    """Where to go from a decision: the next region that is open, else the same."""
    waiting = list(
        read.lesion_reads.filter(decision=LesionRead.Decision.UNDECIDED).values_list(
            "number", flat=True
        )
    )
    later = [one for one in waiting if one > number]
    identifier = read.quantification.series.reading_identifier
    return _address(identifier, next(iter([*later, *waiting, number])), asked)


def _address(identifier: str, number: int, asked: QueryDict) -> str:
    """The page with a region looked at, in the plane and the window as they are."""
    names = ("plane", "high", "ct", "opacity")
    kept = {name: asked[name] for name in names if asked.get(name)}
    return f"{reverse('reading', args=[identifier])}?{urlencode({'region': number} | kept)}"


def _again(said: LesionRead) -> GrownLesion | None:
    """What an undecided region was in the read before, which it was grown again from."""
    is_open = said.decision == LesionRead.Decision.UNDECIDED
    return said.grown.grown_from if is_open and said.grown else None


def _initial(said: LesionRead) -> dict:
    if before := _again(said):
        said = before.lesionread
    found = {name: getattr(said, name) for name in reads.SAID}
    if said.decision == LesionRead.Decision.UNDECIDED:
        del found["decision"]
    if not found["reason"]:
        del found["reason"]
    return found


def _decision_form(row: Series, given: QueryDict | None, **more) -> RegionDecisionForm:
    tracer = row.imaging_study.scheduled_scan.planned_scan.tracer
    return RegionDecisionForm(given, tracer=tracer.name, **more)


def _series(request: HttpRequest, identifier: str, permission: str = "reading.view") -> Series:
    return permissions.fetched(SERIES, request.user, permission, reading_identifier=identifier)


def _run(row: Series) -> Quantification:
    return get_object_or_404(row.quantifications, is_current=True)


def _plane(name: str) -> Plane:
    try:
        return Plane(name)
    except ValueError:
        raise Http404 from None


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None


def _number(asked: QueryDict, name: str, usual: float) -> float:
    try:
        number = float(asked.get(name, usual))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Invalid(name, f"{name} is a number.")
    return number


def _voxel(text: str) -> tuple[int, int, int]:
    parts = [_integer(one) for one in text.split(",")]
    if len(parts) != 3 or None in parts:
        raise Invalid("voxel", "Give plane, row and column as three whole numbers.")
    return parts[0], parts[1], parts[2]


def _place(request: HttpRequest, row: Series, form: RegionForm) -> bool:
    run = get_object_or_404(Quantification, series=row, is_current=True)
    try:
        regions.place(
            run,
            kind=form.cleaned_data["kind"],
            centre_mm=form.centre_mm(),
            radius_mm=form.cleaned_data["radius_mm"],
            by=request.user,
        )
    except Invalid as refusal:
        field = "x_mm" if refusal.field == "centre_mm" else refusal.field
        form.add_error(field, refusal.message)
        return False
    return True
