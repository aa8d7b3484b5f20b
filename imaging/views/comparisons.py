"""A blinded reader compares two scans: pairs beside the pictures, confirmed, joined, signed."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from imaging import reading_terms
from imaging.forms import CompareForm
from imaging.isometries import shift
from imaging.matching import RecordedShift
from imaging.models import LesionComparison, LesionRead, Picture, Read
from imaging.selectors import comparisons as selecting
from imaging.services import comparisons
from trials import matching_rules, permissions
from trials.forms import SignForm
from trials.models import Signature
from trials.services.errors import Invalid
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, sent

READS = Read.objects.select_related(
    f"{selecting.SCAN}__patient", f"{selecting.SCAN}__planned_scan__tracer"
)


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The reader's signed reads, two and two, with the comparison that there is of them."""
    permissions.require_somewhere(request.user, "comparison.edit")
    rows = [(comparisons.in_order(*one.reads), one) for one in selecting.comparable(request.user)]
    return render(request, "imaging/comparisons.html", {"rows": rows})


@form_methods
def new(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """Compare two reads; asks for the shift where they are not in one frame of reference."""
    one, two = (
        permissions.fetched(READS, request.user, "comparison.edit", pk=number)
        for number in (pk, other)
    )
    comparisons.require_comparable(one, two, by=request.user)
    first, second = comparisons.in_order(one, two)
    form = CompareForm(
        sent(request),
        needs_shift=not comparisons.shares_frame(first, second),
        is_again=selecting.signed_of(first, second) is not None,
    )

    def act(found: dict) -> str:
        moved = None
        if found.get("how"):
            motion = shift((found["x_mm"], found["y_mm"], found["z_mm"]))
            moved = RecordedShift(motion=motion, how=found["how"])
        made = comparisons.propose(
            first, second, by=request.user, shift=moved, reason=found.get("reason", "")
        )
        return reverse("comparison", args=[made.pk])

    done = perform(request, form, act)
    names = [one.quantification.series.reading_identifier for one in (first, second)]
    rule = matching_rules.words(comparisons.rule_for(first, second))
    intro = f"Pairs of lesions are proposed by {rule}; you decide about each."
    if comparisons.shares_frame(first, second):
        intro = (
            "The two scans share a frame of reference. Where the patient moved between them all "
            f"the same, give the shift that lays {names[1]} on {names[0]}. {intro}"
        )
    else:
        intro = (
            "The two scans are in two frames of reference: give the shift that lays "
            f"{names[1]} on {names[0]}, and how it was found. {intro}"
        )
    page = ActPage(
        f"Compare {names[0]} with {names[1]}",
        "Propose pairs",
        reverse("comparisons"),
        intro=intro,
    )
    return done or act_page(request, form, page)


@require_http_methods(["GET", "HEAD", "POST"])
def comparison(request: HttpRequest, pk: int) -> HttpResponse:
    """Two scans beside each other with their pairs; each act comes back to it."""
    row = _own(request, pk)
    wrong = ""
    if request.method == "POST":
        try:
            _act(row, request.POST, request)
        except Invalid as refusal:
            wrong = refusal.message
        else:
            return redirect("comparison", pk=row.pk)
    context = _page(row) | {"wrong": wrong}
    return render(request, "imaging/comparison.html", context, status=422 if wrong else 200)


@form_methods
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign a comparison whose pairs are all confirmed."""
    row = _own(request, pk)
    form = SignForm(sent(request))
    address = reverse("comparison", args=[row.pk])

    def act(found: dict) -> str:
        comparisons.sign(row, by=request.user, password=found["password"])
        return address

    done = perform(request, form, act)
    context = _page(row) | {"form": form, "meaning": Signature.Meaning.READ.label}
    return done or form_page(request, "imaging/comparison_sign.html", context)


@dataclass(frozen=True)
class Side:
    """One of the two scans: what is shown of it."""

    word: str
    read: Read
    tracer: str
    picture: Picture | None
    lesions: list[LesionRead]

    @property
    def identifier(self) -> str:
        return self.read.quantification.series.reading_identifier


def _page(row: LesionComparison) -> dict:
    pairs = selecting.pairs_of(row)
    waiting = [one for one in pairs if comparisons.is_open(one)]
    return {
        "comparison": row,
        "rule": matching_rules.words(row.parameters),
        "origin": matching_rules.origin_words(row.parameters),
        "sides": _sides(row),
        "pairs": pairs,
        "next": waiting[0] if waiting else None,
        "waiting": len(waiting),
        "obstacles": comparisons.obstacles(row),
        "is_draft": row.state == LesionComparison.State.DRAFT,
        "is_current": selecting.is_current(row),
        "regions": reading_terms.REGIONS,
    }


def _sides(row: LesionComparison) -> list[Side]:
    words = ("Earlier", "Later") if row.kind == LesionComparison.Kind.TIMES else ("First", "Second")
    return [
        Side(
            word,
            read,
            read.quantification.series.imaging_study.scheduled_scan.planned_scan.tracer.name,
            read.quantification.pictures.filter(kind=Picture.Kind.MIP).first(),
            selecting.lesions_of(read),
        )
        for word, read in zip(words, (row.first, row.second), strict=True)
    ]


def _act(row: LesionComparison, given: QueryDict, request: HttpRequest) -> None:
    """The act whose button was pressed."""
    by = request.user
    ticked = [_number(one) for one in given.getlist("pairs")]
    if "confirm" in given:
        comparisons.confirm(row, [_number(given["confirm"])], by=by)
    elif "apart" in given:
        comparisons.take_apart(row, _number(given["apart"]), by=by)
    elif "place" in given:
        number = _number(given["place"])
        comparisons.place(row, number, region=given.get(f"region_{number}", ""), by=by)
    elif given.get("act") == "join":
        comparisons.join(row, ticked, by=by)
    elif given.get("act") == "confirm":
        if not ticked:
            raise Invalid("pairs", "Tick the pairs that are as proposed.")
        comparisons.confirm(row, ticked, by=by)
    else:
        raise Invalid("act", "Choose what to do with which pair.")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise Invalid("pairs", f"No pair is called {text!r}.")
    return int(text)


def _own(request: HttpRequest, pk: int) -> LesionComparison:
    row = permissions.fetched(
        selecting.with_reads(LesionComparison.objects), request.user, "comparison.edit", pk=pk
    )
    comparisons.require_own(row, request.user)
    return row
