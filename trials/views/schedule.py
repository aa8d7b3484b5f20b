"""The worklist of a site, its calendar, and the calendar feed."""

from __future__ import annotations

import calendar as months
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from trials import permissions
from trials.models import Patient, ScheduledScan, Site
from trials.selectors import schedule as selectors
from trials.services import calendars
from trials.views.acts import form_methods

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# A month further away than this is a typing error.
YEARS = range(2000, 2100)


@require_safe
def worklist(request: HttpRequest) -> HttpResponse:
    """Which of my patients needs what, the most urgent first."""
    sites, chosen = _sites(request)
    patients = permissions.listed(Patient.objects, request.user, "patient.view")
    if chosen:
        patients = patients.filter(site=chosen)
    context = {
        "lines": selectors.worklist(patients),
        "sites": sites,
        "chosen": chosen,
        "may_schedule": request.user.may("scan.schedule"),
        "may_record": request.user.may("visit.record"),
    }
    return render(request, "trials/worklist.html", context)


@require_safe
def calendar(request: HttpRequest) -> HttpResponse:
    """The scans of a month, day by day on the calendar of each site."""
    permissions.require_somewhere(request.user, "patient.view")
    sites, chosen = _sites(request)
    first = _month(request)
    after = (first + timedelta(days=32)).replace(day=1)
    rows = ScheduledScan.objects.visible_to(request.user, "patient.view").filter(
        planned_at__gte=_midnight(first) - timedelta(days=1),
        planned_at__lt=_midnight(after) + timedelta(days=1),
    )
    if chosen:
        rows = rows.filter(patient__site=chosen)
    scans = rows.select_related("planned_scan", "patient__site").order_by("planned_at", "pk")
    by_day: dict[date, list[tuple[str, ScheduledScan]]] = {}
    for scan in scans:
        local = scan.planned_at.astimezone(ZoneInfo(scan.patient.site.time_zone))
        by_day.setdefault(local.date(), []).append((f"{local:%H:%M}", scan))
    weeks = [
        [(day, day.month == first.month, by_day.get(day, [])) for day in week]
        for week in months.Calendar().monthdatescalendar(first.year, first.month)
    ]
    context = {
        "first": first,
        "before": (first - timedelta(days=1)).replace(day=1),
        "after": after,
        "weeks": weeks,
        "days": DAYS,
        "today": chosen.today() if chosen else timezone.localdate(),
        "count": sum(len(found) for week in weeks for _, inside, found in week if inside),
        "sites": sites,
        "chosen": chosen,
    }
    return render(request, "trials/calendar.html", context)


@form_methods
def calendar_feed(request: HttpRequest) -> HttpResponse:
    """Make a calendar feed, renew it, or end it; its address is shown once."""
    permissions.require_somewhere(request.user, "patient.view")
    address = ""
    if request.method == "POST":
        if request.POST.get("end"):
            calendars.revoke(request.user)
        else:
            path = reverse("calendar_file", args=[calendars.renew(request.user)])
            address = request.build_absolute_uri(path)
    feed = request.user.calendar_feeds.filter(revoked_at=None).first()
    return render(request, "trials/calendar_feed.html", {"address": address, "feed": feed})


@login_not_required
@require_GET
def calendar_file(request: HttpRequest, secret: str) -> HttpResponse:
    """The feed itself, to whoever has the address."""
    user = calendars.user_of(secret)
    if user is None:
        raise Http404
    content = calendars.feed_of(
        user, link=lambda scan: request.build_absolute_uri(reverse("scan", args=[scan.pk]))
    )
    answer = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    answer["Cache-Control"] = "private, max-age=300"
    return answer


def _sites(request: HttpRequest) -> tuple[list[Site], Site | None]:
    sites = list(
        Site.objects.visible_to(request.user, "patient.view")
        .select_related("trial")
        .order_by("trial", "code")
    )
    wanted = request.GET.get("site", "")
    return sites, next((one for one in sites if str(one.pk) == wanted), None)


def _month(request: HttpRequest) -> date:
    """The first day of the month asked for, or of this one."""
    try:
        first = date.fromisoformat(f"{request.GET.get('month', '')}-01")
    except ValueError:
        first = timezone.localdate().replace(day=1)
    if first.year not in YEARS:
        raise Http404
    return first


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
