"""Reads of one series beside each other, for who settles what their readers differ in.

Blinded: a reader is a letter here, which follows neither person nor time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.forms import AdjudicationForm, BeginAdjudicationForm, TakeOverForm
from imaging.models import Adjudication, LesionRead, Quantification, Series
from imaging.selectors import adjudications as selecting
from imaging.selectors import reads as read_selectors
from imaging.selectors import recist
from imaging.services import adjudications, reads, response_answers, viewing
from imaging.slices import Plane
from trials import permissions, read_rules
from trials.models import Signature
from trials.services.errors import Refused
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, sent

WINDOW = 10
INTRO = {
    read_rules.THIRD_READER: "Two readers say otherwise of this series. You see both reads beside "
    "each other, without names, choose one or read the series anew, and say why. From then on you "
    "can't read it apart any more.",
    read_rules.CONSENSUS: "You and another reader say otherwise of this series. You see the reads "
    "beside each other and settle together which one holds; each of you signs the same choice.",
}


@form_methods
def begin(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Say that one looks at the reads; they are shown after that."""
    row = _series(request, reading_identifier)
    address = reverse("adjudication", args=[reading_identifier])
    form = BeginAdjudicationForm(sent(request))

    def act(_: dict) -> str:
        adjudications.begin(row, by=request.user)
        return address

    done = perform(request, form, act)
    rule = row.imaging_study.scheduled_scan.planned_scan.version.read_rule
    page = ActPage(
        "Settle what the readers differ in",
        "Show me the reads",
        reverse("reading_list"),
        reading_identifier,
        reverse("reading_list"),
        intro=INTRO.get(rule.get("adjudication", ""), ""),
    )
    return done or act_page(request, form, page)


@form_methods
def take_over(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Settle what another reader began and can't end."""
    row = _series(request, reading_identifier)
    form = TakeOverForm(sent(request))

    def act(found: dict) -> str:
        adjudications.take_over(row, by=request.user, **found)
        return reverse("adjudication", args=[reading_identifier])

    done = perform(request, form, act)
    page = ActPage(
        "Take over what another reader began",
        "Take over and show me the reads",
        reverse("reading_list"),
        reading_identifier,
        reverse("reading_list"),
        intro="Another reader has begun to settle this series and has not signed. What was read "
        "anew for it counts no more. You see both reads beside each other, without names; from "
        "then on you can't read the series apart any more.",
    )
    return done or act_page(request, form, page)


@form_methods
def adjudication(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """The reads beside each other, what they differ in, and the choice to sign."""
    series = _series(request, reading_identifier)
    row = selecting.begun(series, request.user)
    sides = selecting.sides(row)
    own = selecting.own_read(row)
    form = AdjudicationForm(
        sent(request), letters=[one.letter for one in sides], has_own=own is not None
    )

    def act(found: dict) -> str:
        adjudications.sign(row, by=request.user, **found)
        return reverse("adjudication", args=[reading_identifier])

    done = perform(request, form, act)
    context = {
        "series": series,
        "adjudication": row,
        "differing": selecting.differing(row),
        "own": own,
        "chosen": selecting.chosen(row),
        "is_open": selecting.waits(row.scheduled_scan),
        "is_consensus": row.kind == Adjudication.Kind.CONSENSUS,
        "meaning": Signature.Meaning.ADJUDICATION.label,
        "form": form,
        "high": WINDOW,
        "answers": _answers(sides),
        "recist": recist.of_reads({one.letter: one.read for one in sides}),
        **_slices(request, sides),
    }
    return done or form_page(request, "imaging/adjudication.html", context)


@require_safe
def picture_of_slice(
    request: HttpRequest, reading_identifier: str, letter: str, index: int
) -> HttpResponse:
    """One axial slice with the outlines of one of the reads."""
    series = _series(request, reading_identifier)
    side = selecting.side_of(selecting.begun(series, request.user), letter)
    png = viewing.slice_of(
        side.read.quantification,
        side.read,
        plane=Plane.AXIAL,
        index=index,
        low=0.0,
        high=float(WINDOW),
    )
    response = HttpResponse(png, content_type="image/png")
    response["Cache-Control"] = "private, no-cache"
    return response


@dataclass(frozen=True)
class Row:
    """One region as a reader decided it, and the axial slice through its hottest voxel."""

    said: LesionRead
    slice: int | None
    # Another reader says otherwise of the same outline, or has none there.
    differs: bool


@dataclass(frozen=True)
class Shown:
    """One of the reads, as the page shows it."""

    letter: str
    rows: list[Row]
    positivity: str

    @property
    def count(self) -> int:
        return sum(one.said.decision == LesionRead.Decision.ACCEPTED for one in self.rows)


def _answers(sides: list[selecting.Side]) -> list[tuple[str, list[str], bool]]:
    """Each question of the scales with what each reader answered, and whether they differ."""
    answered = [response_answers.answered(one.read) for one in sides]
    found = []
    for rows in zip(*answered, strict=True):
        answers = [answer for _, answer in rows]
        found.append((rows[0][0], answers, len(set(answers)) > 1))
    return found


def _slices(request: HttpRequest, sides: list[selecting.Side]) -> dict[str, Any]:
    """Both sides on one slice: the one asked for, else that of the first region in dispute."""
    run = sides[0].read.quantification
    try:
        counts = viewing.counts(run)
    except Refused as refusal:
        return {"sides": _shown(sides, None), "no_slices": refusal.message}
    shown = _shown(sides, run)
    rows = [each for one in shown for each in one.rows]
    first = next(iter([one for one in rows if one.differs] or rows), None)
    last = counts[Plane.AXIAL] - 1
    asked = request.GET.get("slice", "")
    index = last // 2 if first is None or first.slice is None else first.slice
    if asked.isdecimal() and len(asked) < 9:
        index = min(int(asked), last)
    return {"sides": shown, "slice": index, "last": last}


def _shown(sides: list[selecting.Side], run: Quantification | None) -> list[Shown]:
    rows = {one.letter: read_selectors.rows_of(one.read) for one in sides}
    said = {
        letter: {_outline(one): (one.decision, one.region, one.positivity) for one in each}
        for letter, each in rows.items()
    }
    return [
        Shown(
            one.letter,
            [
                Row(
                    each,
                    _axial(run, each) if run else None,
                    any(
                        other.get(_outline(each)) != said[one.letter][_outline(each)]
                        for other in said.values()
                    ),
                )
                for each in rows[one.letter]
            ],
            _positivity(rows[one.letter]),
        )
        for one in sides
    ]


def _outline(row: LesionRead) -> tuple[str, int | None]:
    """What tells a region from others: the run's own are the same for all readers."""
    return ("grown", row.grown_id) if row.grown_id else ("outline", row.lesion_id)


def _positivity(rows: list[LesionRead]) -> str:
    accepted = [one for one in rows if one.decision == LesionRead.Decision.ACCEPTED]
    return LesionRead.Positivity(reads.visual_positivity(accepted)).label


def _axial(run: Quantification, row: LesionRead) -> int:
    plane, line, column = row.measured.suvmax_voxel
    return viewing.through(run, (plane, line, column))[Plane.AXIAL]


def _series(request: HttpRequest, reading_identifier: str) -> Series:
    return permissions.fetched(
        selecting.SERIES, request.user, "adjudication.sign", reading_identifier=reading_identifier
    )
