"""The reader's page of a series: begun, shown, decided region by region.

Blinded: nothing here names a patient, a site, a day or another reader's work.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
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
from imaging.selectors import adjudications, positivity, recist
from imaging.selectors import reads as selecting
from imaging.selectors import regions as region_selectors
from imaging.services import grown_mirror_images, reads, regions, response_answers, viewing
from imaging.slices import Plane
from imaging.views import under_slices
from imaging.views.asked import (
    address_of,
    derivations_of,
    integer,
    series_of,
)
from imaging.views.measured import measured
from trials import permissions, segmentation_methods
from trials.services.errors import Invalid, Refused
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
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
    row = series_of(request, reading_identifier)
    form = RegionForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _place(request, row, form):
        return redirect("reading", reading_identifier=reading_identifier)
    return _page(request, row, form=form)


@form_methods
def opened(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Begin the own read; again after a signed one, with a reason."""
    row = series_of(request, reading_identifier, "read.edit")
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
    row = series_of(request, reading_identifier, "read.edit")
    read = selecting.own_of(row, request.user)
    said = get_object_or_404(LesionRead, read=read, number=number)
    form = _decision_form(row, request.POST)

    def act(found: dict) -> str:
        reads.decide(said, by=request.user, **found)
        return _after(read, number, request.POST)

    return perform(request, form, act) or _page(request, row, decision=form, at=number)


@require_POST
def region_accept(request: HttpRequest, reading_identifier: str, pk: int) -> HttpResponse:
    """Stand for a proposed reference region."""
    row = series_of(request, reading_identifier, "region.place")
    region = get_object_or_404(ReferenceRegion, quantification__series=row, pk=pk)
    regions.accept(region, by=request.user)
    return redirect("reading", reading_identifier=reading_identifier)


@require_POST
def mirror_accept(request: HttpRequest, reading_identifier: str, number: int) -> HttpResponse:
    """Stand for the mirror image of a region that one grew."""
    row = series_of(request, reading_identifier, "read.edit")
    read = selecting.own_of(row, request.user)
    said = get_object_or_404(LesionRead, read=read, number=number)
    reads.accept_mirror_image(said, by=request.user)
    return redirect(address_of(reading_identifier, number, request.POST))


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
    own_images = grown_mirror_images.found_among(said)
    compared = region_selectors.with_own(compared, own_images)
    judging = positivity.judging(run, in_force)
    rows = _rows(row, run, compared, said, request.GET, judging)
    current = _looked_at(rows, at or integer(request.GET.get("region", "")))
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
        "compared": compared,
        "own_mirrors": [
            (one, image) for one in rows if (image := grown_mirror_images.image_of(one.said))
        ]
        if read
        else [],
        # SUVmax to uptake, and three ratios to each reference region.
        "columns": 5 + 3 * len(compared),
        "current": current,
        "decision": decision if shows else None,
        "again": _again(current.said) if shows else None,
        "decided": decided,
        "count": len(said),
        "obstacles": reads.obstacles(read) if is_draft else [],
        "answered": response_answers.answered(read) if read else [],
        "recist": recist.of_read(read),
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
            address_of(row.reading_identifier, number, asked),
            derivations_of(one),
            judging.word(one) if judging else "",
        )
        for number, one, words in found
    ]


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
    index = integer(request.GET.get("slice", ""))
    index = through[plane] if index is None else min(index, counts[plane] - 1)
    high = integer(request.GET.get("high", ""))
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
    return address_of(identifier, next(iter([*later, *waiting, number])), asked)


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
