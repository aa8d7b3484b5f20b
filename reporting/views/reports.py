"""Reports of a trial: which there are, one of them, and its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from reporting import csvtext, selectors
from reporting.datasets import Column, Privacy, Type
from reporting.models import Export
from reporting.reports import REPORTS
from reporting.reports.content import Figure, Table, data_columns, data_rows
from reporting.reports.drawing import svg
from reporting.services import reports as services
from reporting.services import typesetting
from trials import permissions
from trials.models import Trial, User

Part = TypeVar("Part", Table, Figure)
# A list of lesions may have thousands of rows: a page of them all can't be read.
ROWS_OF_PAGE = 200


@require_safe
def reports(request: HttpRequest, identifier: str) -> HttpResponse:
    """Which reports there are, which have data, and why not."""
    trial = trial_for(request.user, identifier)
    rows = services.listed(trial, by=request.user)
    return render(request, "reporting/reports.html", {"trial": trial, "rows": rows})


@require_safe
def report(request: HttpRequest, identifier: str, name: str) -> HttpResponse:
    """One report: its tables and figures, of the moment named."""
    made = made_for(request, identifier, name)
    query = f"?export={made.export.pk}" if made.export else ""
    context = {
        "made": made,
        "trial": made.trial,
        "report": made.report,
        "parts": _shown(made, query),
        "query": query,
        "exports": _exports_of(request.user, made.trial),
    }
    response = render(request, "reporting/report.html", context)
    if made.export and made.export.is_unblinded:
        # Who looks at it is not blind any more.
        services.hand_out(made, "page", response.content, by=request.user)
    return response


@require_GET
def report_pdf(request: HttpRequest, identifier: str, name: str) -> HttpResponse:
    made = made_for(request, identifier, name)
    address = request.build_absolute_uri(reverse("report", args=[identifier, name]))
    content = typesetting.report_pdf(printed(made, address))
    services.hand_out(made, "pdf", content, by=request.user)
    return _file(content, "application/pdf", f"{identifier}-{name}.pdf", keep=False)


@require_GET
def report_figure(request: HttpRequest, identifier: str, name: str, number: int) -> HttpResponse:
    """A figure; on its report's page it is looked at, and by `download` it is taken.

    Of an unblinded export a look is enough: who had it is not blind any more.
    """
    made = made_for(request, identifier, name)
    content = svg(_numbered(made.content.figures, number).drawing)
    is_kept = "download" in request.GET
    if is_kept or (made.export and made.export.is_unblinded):
        services.hand_out(made, f"figure {number}", content, by=request.user)
    return _file(content, "image/svg+xml", f"{identifier}-{name}-figure-{number}.svg", keep=is_kept)


@require_GET
def report_table(request: HttpRequest, identifier: str, name: str, number: int) -> HttpResponse:
    made = made_for(request, identifier, name)
    content = table_csv(_numbered(made.content.tables, number))
    services.hand_out(made, f"table {number}", content, by=request.user)
    return _file(content, "text/csv; charset=utf-8", f"{identifier}-{name}-table-{number}.csv")


def table_csv(table: Table) -> bytes:
    """A table as a file of data: numbers in full, an estimate beside its ends."""
    columns = [Column(one, one, Type.TEXT, Privacy.HEALTH) for one in data_columns(table)]
    rows = (["" if cell is None else str(cell) for cell in row] for row in data_rows(table))
    return b"".join(csvtext.lines(columns, rows))


def trial_for(user: User, identifier: str) -> Trial:
    """The trial, if the user has a role in it; whether they may see reports is asked after."""
    trial = Trial.objects.visible_to(user).filter(identifier=identifier).first()
    if trial is None:
        raise Http404
    services.require(user, trial, "report.view")
    return trial


def made_for(request: HttpRequest, identifier: str, name: str) -> services.Made:
    """The report of an address, of now or of the export that the query names."""
    trial = trial_for(request.user, identifier)
    if name not in REPORTS:
        raise Http404
    return services.make(trial, name, by=request.user, export=_export(request, trial))


def _export(request: HttpRequest, trial: Trial) -> Export | None:
    asked = request.GET.get("export", "")
    if not asked:
        return None
    if not asked.isdecimal() or len(asked) > 18:
        raise Http404
    rows = selectors.exports().filter(trial=trial)
    return permissions.fetched(rows, request.user, "export.view", pk=asked)


def _exports_of(user: User, trial: Trial) -> list[Export]:
    if (trial.pk, None) not in set(user.scopes("export.view")):
        return []
    return list(Export.objects.filter(trial=trial, state=Export.State.FROZEN)[:20])


def _numbered(parts: Sequence[Part], number: int) -> Part:
    """A table among the tables, a figure among the figures, counted from 1."""
    if not 1 <= number <= len(parts):
        raise Http404
    return parts[number - 1]


def _shown(made: services.Made, query: str) -> list[dict]:
    """What the page shows of each part; tables and figures are counted apart."""
    counts: Counter[str] = Counter()
    shown = []
    for part in made.content.parts:
        counts[part.kind] += 1
        where = made.trial.identifier, made.report.name, counts[part.kind]
        one = {
            "part": part,
            "number": len(shown) + 1,
            "is_figure": isinstance(part, Figure),
            "address": reverse(f"report_{part.kind}", args=where) + query,
        }
        if isinstance(part, Table):
            first, left_out = capped(part.printed())
            one["rows"] = [list(zip(row, part.columns, strict=True)) for row in first]
            one["left_out"] = left_out
        shown.append(one)
    return shown


def capped(rows: list[list[str]]) -> tuple[list[list[str]], int]:
    """The rows that a page shows of a table, and how many more its data have."""
    return rows[:ROWS_OF_PAGE], max(len(rows) - ROWS_OF_PAGE, 0)


def printed(made: services.Made, address: str) -> dict:
    """The report as `report.typ` sets it."""
    return {
        "title": made.report.title,
        "subject": made.report.question,
        "trial": made.trial.identifier,
        "is_demo": made.trial.is_demo,
        "as_of": f"{made.as_of:%Y-%m-%d %H:%M:%S} UTC",
        "source": made.source,
        "software": ", ".join(" ".join(one) for one in made.software),
        "address": address,
        "empty": made.content.why_empty,
        "parts": [_set(part) for part in made.content.parts],
    }


def _set(part: Table | Figure) -> dict:
    common = {"kind": part.kind, "title": part.title, "counted": part.counted,
              "notes": list(part.notes)}  # fmt: skip
    if isinstance(part, Figure):
        return common | {"svg": svg(part.drawing).decode(), "alternative": part.alternative}
    columns = [{"label": one.heading, "is_number": one.is_number} for one in part.columns]
    return common | {"columns": columns, "rows": part.printed()}


def _file(content: bytes, kind: str, name: str, *, keep: bool = True) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(keep, name)
    response["Cache-Control"] = "private, no-store"
    return response
