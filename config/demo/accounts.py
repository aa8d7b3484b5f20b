"""Accounts, sites and trials of the demonstration."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from trials import duties, site_readiness
from trials.models import Site, Trial, User
from trials.roles import Role
from trials.services import accounts, amendments, delegations, jobs, protocols, sites

DEMO_TRIAL = "DEMO"
# The randomised cross-over has one site, with people of its own.
CROSSOVER_TRIAL, CROSSOVER_SITE = "DEMO-CROSSOVER", "201"
# So has the trial of response to treatment.
RESPONSE_TRIAL, RESPONSE_SITE = "DEMO-RESPONSE", "401"
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
    Role.UNBLINDED_STATISTICIAN: "Uma Unblinded",
    Role.PANEL: "Paula Panel",
}
# The trial's rule has two readers read each scan and a third settle where they differ.
FURTHER_READERS = {"reader-2": "Rosa Reader", "reader-3": "Remy Reader"}
# The site of the people above, and the people of the others.
SITE_CODE = "101"
ELSEWHERE = {
    "102": {Role.COORDINATOR: "Cora Coordinator", Role.INVESTIGATOR: "Ivo Investigator"},
    "103": {Role.COORDINATOR: "Carl Coordinator", Role.INVESTIGATOR: "Iris Investigator"},
    CROSSOVER_SITE: {
        Role.COORDINATOR: "Corinna Coordinator",
        Role.INVESTIGATOR: "Igor Investigator",
    },
    RESPONSE_SITE: {
        Role.COORDINATOR: "Cleo Coordinator",
        Role.INVESTIGATOR: "Irma Investigator",
    },
}
PUBLISHED_PEOPLE = {
    Role.COORDINATOR: "Casper Coordinator",
    Role.INVESTIGATOR: "Isa Investigator",
}
MONITORED = ("101", "102")
# Roles that work at a site; the others see all sites of the trial.
AT_SITE = {Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST}
SINCE = date(2026, 1, 1)


def prepare(definitions: Path) -> Trial:
    """Load every trial file and make the accounts; what is there stays as it is.

    Trials of one's own beside them are none of the demonstration's: nobody here gets a role there.
    """
    system = jobs.system_user()
    texts = [file.read_text(encoding="utf-8") for file in sorted(definitions.glob("*.yaml"))]
    versions = [
        protocols.known(text) or protocols.load_trial(text, by=system).version for text in texts
    ]
    trials = [version.trial for version in versions]
    (trial,) = (one for one in trials if one.identifier == DEMO_TRIAL)
    by_code = {site.code: site for site in trial.sites.all()}
    others = {
        code: Site.objects.get(trial__identifier=identifier, code=code)
        for identifier, code in (
            (CROSSOVER_TRIAL, CROSSOVER_SITE),
            (RESPONSE_TRIAL, RESPONSE_SITE),
        )
    }
    for role, name in PEOPLE.items():
        user = _user(role.value, name, system)
        for one in trials if role not in AT_SITE else [trial]:
            for site in _places(role, one, by_code):
                _grant(user, role, one, site, system)
    for username, name in FURTHER_READERS.items():
        user = _user(username, name, system)
        for one in trials:
            _grant(user, Role.READER, one, None, system)
    elsewhere = by_code | others
    for code, people in ELSEWHERE.items():
        site = elsewhere[code]
        for role, name in people.items():
            _grant(_user(f"{role.value}{code}", name, system), role, site.trial, site, system)
    for site in elsewhere.values():
        _open(site)
    return trial


def prepare_published(definition: Path) -> Trial:
    """The trial of published counts, open, with the people of the demonstration."""
    system = jobs.system_user()
    text = definition.read_text(encoding="utf-8")
    version = protocols.known(text) or protocols.load_trial(text, by=system).version
    (site,) = version.trial.sites.all()
    for role in (Role.DATA_MANAGER, Role.STATISTICIAN, Role.MONITOR, Role.AUDITOR):
        _grant(user_of(role), role, version.trial, None, system)
    for role, name in PUBLISHED_PEOPLE.items():
        user = _user(f"{role.value}{site.code}", name, system)
        _grant(user, role, version.trial, site, system)
    _open(site)
    return version.trial


def user_of(role: Role, code: str = SITE_CODE) -> User:
    """Who holds a role at a site of the demonstration."""
    name = role.value if code == SITE_CODE or role not in AT_SITE else f"{role.value}{code}"
    return User.objects.get(username=name)


def labels() -> dict[str, str]:
    """What the log-in page calls each account, by user name; readers stand together."""
    named = {}
    for role in PEOPLE:
        named[role.value] = role.label
        if role == Role.READER:
            further = enumerate(FURTHER_READERS, start=2)
            named |= {username: f"{role.label} {number}" for number, username in further}
    return named


def _places(role: Role, trial: Trial, by_code: dict[str, Site]) -> list[Site | None]:
    if trial.identifier != DEMO_TRIAL:
        return [None]
    if role in AT_SITE:
        return [by_code[SITE_CODE]]
    return [by_code[code] for code in MONITORED] if role == Role.MONITOR else [None]


def _user(username: str, name: str, system: User) -> User:
    user = User.objects.filter(username=username).first()
    return user or accounts.create_user(
        username=username, password=PASSWORD, full_name=name, by=system
    )


def _grant(user: User, role: Role, trial: Trial, site: Site | None, system: User) -> None:
    accounts.grant(user, role, trial=trial, site=site, by=system, starts_on=SINCE)


def _open(site: Site) -> None:
    """Approvals, principal investigator, activation and delegations of a site."""
    manager = user_of(Role.DATA_MANAGER)
    if site.version_in_force is None:
        amendments.activate(
            site.trial.newest_version,
            site=site,
            effective_on=site.today(),
            reference="invented approval",
            by=manager,
        )
    if site.state == Site.State.ACTIVE:
        return
    there = {(one.kind, one.tracer) for one in site.approvals.all()}
    tracers = site.version_in_force.tracers.values_list("identifier", flat=True)
    kinds = [(kind, "") for kind in site_readiness.REQUIRED]
    for kind, tracer in [*kinds, *((site_readiness.SCANNER, one) for one in tracers)]:
        if (kind, tracer) not in there:
            sites.record_approval(
                site,
                kind=kind,
                tracer=tracer,
                reference=f"invented document, {kind.replace('_', ' ')}",
                granted_on=SINCE,
                expires_on=None,
                by=manager,
            )
    if not site.consent_versions.exists():
        sites.record_consent_version(
            site,
            version="1.0",
            language="en",
            valid_from=SINCE,
            valid_until=None,
            requires_reconsent=False,
            by=manager,
        )
    leader = user_of(Role.INVESTIGATOR, site.code)
    led = sites.name_principal_investigator(site, user=leader, reason="contract", by=manager)
    active = sites.activate(led, reason="everything is there", by=manager)
    _delegate(active, leader)


def _delegate(site: Site, leader: User) -> None:
    """The coordinator does all but sign; the technologist injects and fills in forms."""
    given = [
        (user_of(Role.COORDINATOR, site.code), duty)
        for duty in sorted(set(duties.DUTIES) - {duties.SIGN})
    ]
    if site.code == SITE_CODE:
        technologist = user_of(Role.TECHNOLOGIST)
        given += [(technologist, duty) for duty in (duties.INJECT, duties.RECORD)]
    for user, duty in given:
        if not delegations.holds(user, duty, site):
            delegations.delegate(
                site,
                user=user,
                duty=duty,
                starts_on=SINCE,
                ends_on=None,
                password=PASSWORD,
                by=leader,
            )
