"""Accounts, sites and trials of the demonstration."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from trials.models import Site, Trial, User
from trials.roles import Role
from trials.services import accounts, jobs, sites

DEMO_TRIAL = "DEMO"
# For loopback and invented patients only; production settings refuse to run the demo.
PASSWORD = "gallium-68-on-loopback"  # noqa: S105  shown on the page it opens
PEOPLE = {
    Role.COORDINATOR: "Clara Coordinator",
    Role.INVESTIGATOR: "Ines Investigator",
    Role.TECHNOLOGIST: "Theo Technologist",
    Role.MONITOR: "Mona Monitor",
    Role.READER: "Rafael Reader",
    Role.DATA_MANAGER: "Dora Datamanager",
    Role.STATISTICIAN: "Stan Statistician",
    Role.AUDITOR: "Aude Auditor",
    Role.ADMINISTRATOR: "Adam Administrator",
}
SITE_CODE = "101"
# Roles that work at a site; the others see all sites of the trial.
AT_SITE = {Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST}


def prepare(definitions: Path) -> Trial:
    """Load every trial file and make one account a role; what is there stays as it is."""
    from trials.services import protocols

    system = jobs.system_user()
    for file in sorted(definitions.glob("*.yaml")):
        protocols.load_trial(file.read_text(), by=system)
    trial = Trial.objects.get(identifier=DEMO_TRIAL)
    site = _site(trial, system)
    for role, name in PEOPLE.items():
        user = _user(role, name, system)
        for one in Trial.objects.all() if role not in AT_SITE else [trial]:
            _grant(user, role, one, site, system)
    return trial


def _site(trial: Trial, system: User) -> Site:
    site = Site.objects.filter(trial=trial, code=SITE_CODE).first()
    if site:
        return site
    given = {"name": "Demo University Hospital", "time_zone": "Europe/Berlin"}
    return sites.add(trial, code=SITE_CODE, by=system, **given)


def _user(role: Role, name: str, system: User) -> User:
    user = User.objects.filter(username=role.value).first()
    return user or accounts.create_user(
        username=role.value, password=PASSWORD, full_name=name, by=system
    )


def _grant(user: User, role: Role, trial: Trial, site: Site, system: User) -> None:
    accounts.grant(
        user,
        role,
        trial=trial,
        site=site if role in AT_SITE else None,
        by=system,
        starts_on=date(2026, 1, 1),
    )
