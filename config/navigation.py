"""What the side bar shows: the pages a user's roles open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from trials.models import Membership, User
from trials.roles import Role
from trials.version import VERSION


@dataclass(frozen=True)
class Entry:
    """One line of the side bar. `within` begins the names of the pages that belong to it."""

    label: str
    icon: str
    page: str
    permission: str = ""
    within: tuple[str, ...] = ()

    def is_open_to(self, user: User) -> bool:
        return not self.permission or user.may(self.permission)


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Home", "home", "home"),)),
    (
        "Study",
        (
            Entry(
                "Worklist",
                "list-check",
                "worklist",
                "patient.view",
                ("worklist", "calendar"),
            ),
            Entry(
                "Trials", "flask", "trials", "trial.view", ("trial", "conflict", "cohort", "report")
            ),
            Entry(
                "Sites",
                "building-hospital",
                "sites",
                "site.view",
                ("site", "approval", "delegation", "amendment", "leader"),
            ),
            Entry(
                "Patients",
                "users",
                "patients",
                "patient.view",
                ("patient", "consent", "evidence", "scan", "injection", "upload"),
            ),
            Entry("Forms", "list-details", "form_entries", "form.view", ("form",)),
            Entry("Truth panel", "clipboard-check", "panel_patients", "panel.view", ("panel",)),
            Entry(
                "Eligibility",
                "clipboard-check",
                "eligibility",
                "eligibility.view",
                ("eligibility", "assessment", "board", "verdict"),
            ),
            Entry(
                "Screening log",
                "list-details",
                "screening_log",
                "screening_log.view",
                ("screening_log", "reconsent"),
            ),
        ),
    ),
    (
        "Imaging",
        (
            Entry(
                "Images",
                "photo-scan",
                "transmittals",
                "images.view",
                ("transmittal", "series", "derivation"),
            ),
            Entry("Reading", "eye", "reading_list", "reading.view", ("reading", "derivation")),
            Entry("Comparisons", "list-details", "comparisons", "comparison.edit", ("comparison",)),
            Entry("Paired lesions", "list-details", "paired_lesions", "comparison.view"),
            Entry("Response", "list-check", "responses", "response.view", ("response",)),
            Entry("Normal organs", "list-details", "organ_uptake", "organs.view", ("organ",)),
        ),
    ),
    (
        "Quality",
        (
            Entry("Queries", "message-question", "queries", "query.view", ("quer",)),
            Entry("Deviations", "alert-triangle", "deviations", "deviation.view", ("deviation",)),
            Entry(
                "Monitoring visits",
                "clipboard-check",
                "monitoring",
                "monitoring.view",
                ("monitoring", "action_item"),
            ),
            Entry("Privacy incidents", "lock", "incidents", "incident.view", ("incident",)),
            Entry("Audit trail", "history", "audit", "audit.view", ("audit",)),
            Entry("Printed sheets", "list-details", "printed_sheets", "audit.view"),
        ),
    ),
    (
        "Data",
        (
            Entry(
                "Populations",
                "users",
                "populations",
                "population.view",
                ("population",),
            ),
            Entry("Exports", "file-export", "exports", "export.view", ("export",)),
            Entry("Accounts", "user", "accounts", "account.view", ("account",)),
            Entry("Jobs", "list-check", "jobs", "jobs.view", ("job",)),
        ),
    ),
)


def navigation(request: HttpRequest) -> dict:
    """For every page, as `shell`: where the user may go, in which roles, and what site it is."""
    shell = {"version": VERSION, "is_demo": settings.DEMO, "navigation": [], "roles": []}
    # An address that is refused early, such as an unknown host, has no user yet.
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        shell["navigation"] = list(_groups(user, request))
        shell["roles"] = list(_roles(user.current_memberships))
    return {"shell": shell}


def _groups(user: User, request: HttpRequest) -> Iterator[dict]:
    here = request.resolver_match.url_name if request.resolver_match else ""
    is_found = False
    for label, entries in GROUPS:
        shown = []
        for entry in entries:
            if not entry.is_open_to(user):
                continue
            current = "" if is_found else _current(entry, here or "")
            is_found = is_found or bool(current)
            shown.append(
                {
                    "label": entry.label,
                    "icon": entry.icon,
                    "address": reverse(entry.page),
                    "current": current,
                }
            )
        if shown:
            yield {"label": label, "entries": shown}


def _current(entry: Entry, here: str) -> str:
    """What aria-current says of an entry on the page `here`: the page itself, or above it."""
    if here == entry.page:
        return "page"
    return "true" if entry.within and here.startswith(entry.within) else ""


def _roles(memberships: Iterable[Membership]) -> Iterator[dict]:
    """Each role once, with the trial and site it is held in, or how many."""
    held: dict[str, list[Membership]] = {}
    for membership in memberships:
        held.setdefault(membership.role, []).append(membership)
    for role, rows in held.items():
        yield {"label": Role(role).label, "where": _where(rows)}


def _where(rows: list[Membership]) -> str:
    if len(rows) > 1:
        return f"{len(rows)} trials"
    trial, site = rows[0].trial, rows[0].site
    return f"{trial}, site {site.code}" if site else f"{trial}"
