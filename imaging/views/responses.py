"""Response to treatment: the reader's answers, the list of patients, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.forms import ResponseAnswersForm
from imaging.models import Read, Series
from imaging.response.trend import Trend
from imaging.selectors import reads as selecting
from imaging.selectors import responses
from imaging.services import response_answers
from trials import permissions
from trials.models import Patient
from trials.views.acts import ActPage, act_page, form_methods, perform, sent

SERIES = Series.objects.select_related(
    "imaging_study__scheduled_scan__planned_scan__version",
    "imaging_study__scheduled_scan__patient__site",
)
PATIENTS = Patient.objects.select_related("trial", "site")
INTRO = (
    "What the scales of this trial ask beside the lesions. A question that is left open stays "
    "open, and the scale that needs it is not evaluable. The answers are signed with the read."
)
# The plot within its picture, in units of the drawing.
LEFT, TOP, WIDTH, HEIGHT = 60, 16, 880, 220


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Patients of trials that judge response, with what stands of each."""
    rows = responses.patients(request.user).order_by("trial__identifier", "identifier")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    standing = responses.standing_of(page.object_list)
    context = {"page": page, "rows": [(one, standing.get(one.pk, [])) for one in page]}
    return render(request, "imaging/responses.html", context)


@require_safe
def patient(request: HttpRequest, pk: int) -> HttpResponse:
    """What each scale says of a patient at each time, and all that it rests on."""
    row = permissions.fetched(PATIENTS, request.user, "response.view", pk=pk)
    is_shown = responses.may_see(request.user, row)
    found = responses.of_patient(row) if is_shown else None
    context = {
        "patient": row,
        "is_shown": is_shown,
        "found": found,
        "picture": _drawn(found.trend) if found and found.trend else None,
        "may_see_patient": request.user.may_for("patient.view", row.scope()),
    }
    return render(request, "imaging/patient_response.html", context)


@form_methods
def answers(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Answer the questions of the scales in the own draft."""
    series = permissions.fetched(
        SERIES, request.user, "read.edit", reading_identifier=reading_identifier
    )
    read = selecting.own_of(series, request.user)
    address = reverse("reading", args=[reading_identifier])
    asked = response_answers.asked_of(series.imaging_study.scheduled_scan)
    if read.state != Read.State.DRAFT or not asked:
        return redirect(address)
    form = ResponseAnswersForm(sent(request), questions=asked, initial=response_answers.of(read))

    def act(found: dict) -> str:
        response_answers.say(read, found, by=request.user)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Response to treatment", "Record the answers", address, reading_identifier, address, INTRO
    )
    return done or act_page(request, form, page)


@dataclass(frozen=True)
class DrawnLine:
    """A line in the units of the drawing; `style` tells it from the others without colour."""

    name: str
    path: str
    points: list[tuple[str, str]]
    without: list[tuple[str, str]]
    style: int

    @property
    def found(self) -> list[tuple[str, str]]:
        """The points of scans with a lesion."""
        return [one for one in self.points if one not in self.without]


def _drawn(found: Trend) -> dict:
    """The picture in the units of the drawing; strings, for a number may get a comma."""
    return {
        "lines": [
            DrawnLine(
                one.name,
                " ".join(f"{_x(x)},{_y(y)}" for x, y in one.points),
                [(_x(x), _y(y)) for x, y in one.points],
                [(_x(x), _y(y)) for x, y in one.without],
                style=number % 4,
            )
            for number, one in enumerate(found.lines)
        ],
        "ticks": [(_y(y), f"{suv:g}") for y, suv in found.ticks],
        "days": [(_x(x), at) for x, at in found.days],
        "without": sorted({_x(x) for one in found.lines for x, _ in one.without}),
        "left": LEFT,
        "right": LEFT + WIDTH,
        "top": TOP,
        "foot": TOP + HEIGHT,
        "below": TOP + HEIGHT + 18,
        "height": TOP + HEIGHT + 28,
    }


def _x(x: float) -> str:
    return f"{LEFT + x * WIDTH / 100:.1f}"


def _y(y: float) -> str:
    return f"{TOP + y * HEIGHT / 100:.1f}"
