"""Sites, delegations and signatures: who may, from when, on whose word."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from tests import factories
from trials.models import Deviation, Signature
from trials.roles import Role
from trials.services import delegations, injections, jobs, signatures, sites
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate


@pytest.fixture
def trial():
    return factories.make_trial()


@pytest.fixture
def site(trial):
    return factories.make_site(trial)


@pytest.fixture
def manager(trial):
    return factories.make_user(Role.DATA_MANAGER, trial=trial)


@pytest.fixture
def leader(site):
    return site.principal_investigator


@pytest.fixture
def planned(trial):
    return sites.add(trial, code="NEW", name="New", time_zone="UTC", by=jobs.system_user())


def approve(site, kind, *, by, tracer="", expires_on=None):
    return sites.record_approval(
        site,
        kind=kind,
        tracer=tracer,
        reference="file 7",
        granted_on=TODAY(),
        expires_on=expires_on,
        by=by,
    )


def test_a_new_site_lacks_everything_but_its_protocol_version(planned):
    assert sites.missing(planned) == [
        "Principal investigator named: missing.",
        "Consent form in force: missing.",
        "Approval of the ethics committee: missing.",
        "Approval of the authority: missing.",
        "Radiation protection: missing.",
        "Contract: missing.",
        "Initiation visit: missing.",
        "Scanner qualified for a tracer PTF: missing.",
    ]


def test_a_site_is_activated_once_nothing_is_missing(planned, manager, trial):
    investigator = factories.make_user(Role.INVESTIGATOR, trial=trial, site=planned)
    with pytest.raises(Refused, match="Contract: missing"):
        sites.activate(planned, reason="all there", by=manager)
    for kind in ("ethics", "authority", "radiation_protection", "contract", "initiation_visit"):
        approve(planned, kind, by=manager)
    approve(planned, "scanner", tracer="PTF", by=manager)
    sites.record_consent_version(
        planned,
        version="1.0",
        language="de",
        valid_from=TODAY(),
        valid_until=None,
        requires_reconsent=False,
        by=manager,
    )
    led = sites.name_principal_investigator(
        planned, user=investigator, reason="contract", by=manager
    )
    active = sites.activate(led, reason="all there", by=manager)
    sites.require_active(active)


def test_an_approval_that_runs_out_stops_enrolment_from_the_next_day(site, manager):
    ethics = site.approvals.get(kind="ethics")
    sites.end_approval(ethics, ended_on=TODAY(), reason="amended", by=manager)
    sites.require_active(site)
    tomorrow = TODAY() + timedelta(days=1)
    assert sites.missing(site, on=tomorrow) == ["Approval of the ethics committee: missing."]


def test_a_suspended_site_may_not_enrol_whatever_it_holds(site, manager):
    held = sites.suspend(site, reason="inspection", by=manager)
    with pytest.raises(Refused, match="suspended"):
        sites.require_active(held)


def test_only_an_investigator_of_the_site_may_lead_it(site, manager, trial):
    coordinator = factories.make_user(Role.COORDINATOR, trial=trial, site=site)
    with pytest.raises(Invalid, match="role of an investigator"):
        sites.name_principal_investigator(site, user=coordinator, reason="new", by=manager)


def test_a_scanner_is_qualified_for_a_tracer_of_the_trial(site, manager):
    with pytest.raises(Invalid, match="PTF"):
        approve(site, "scanner", tracer="FES", by=manager)


def test_a_site_is_managed_by_the_data_manager_alone(site, leader):
    with pytest.raises(Forbidden):
        sites.suspend(site, reason="inspection", by=leader)


def delegated(site, user, leader, duty="enrol", **dates):
    given = {"starts_on": TODAY(), "ends_on": None} | dates
    return delegations.delegate(
        site, user=user, duty=duty, password=factories.PASSWORD, by=leader, **given
    )


@pytest.fixture
def newcomer(site, trial):
    user = factories.make_user(trial=trial)
    with factories.framed():
        user.memberships.create(
            trial=trial, site=site, role=Role.COORDINATOR, starts_on=date(2026, 1, 1)
        )
    return user


def test_a_duty_is_held_from_its_first_day_to_its_last(site, newcomer, leader):
    first, last = TODAY() + timedelta(days=2), TODAY() + timedelta(days=4)
    delegated(site, newcomer, leader, starts_on=first, ends_on=last)
    held = [
        delegations.holds(newcomer, "enrol", site, on=TODAY() + timedelta(days=n))
        for n in range(1, 6)
    ]
    assert held == [False, True, True, True, False]


def test_what_is_not_delegated_is_refused_with_whom_to_ask(site, newcomer, leader):
    with pytest.raises(Refused, match=f"let {leader} delegate it"):
        delegations.require(newcomer, "assess", site)


def test_the_principal_investigator_holds_every_duty_without_a_delegation(site, leader):
    assert all(delegations.holds(leader, duty, site) for duty in delegations.Duty.values)


def test_a_duty_falls_with_the_role_it_rests_on(site, newcomer, leader):
    delegated(site, newcomer, leader)
    with factories.framed():
        newcomer.memberships.update(ends_on=TODAY() - timedelta(days=1))
    assert not delegations.holds(newcomer, "enrol", site)


def test_a_coordinator_is_not_given_the_duty_to_sign(site, newcomer, leader):
    with pytest.raises(Invalid, match="investigator"):
        delegated(site, newcomer, leader, duty="sign")


def test_a_duty_held_is_not_given_again(site, newcomer, leader):
    delegated(site, newcomer, leader)
    with pytest.raises(Refused, match="already"):
        delegated(site, newcomer, leader)


def test_only_the_leader_of_the_site_delegates(site, newcomer, trial):
    other = factories.make_user(Role.INVESTIGATOR, trial=trial, site=site)
    with pytest.raises(Refused, match="principal investigator"):
        delegated(site, newcomer, other)


@pytest.fixture
def done(site, newcomer):
    """What the newcomer did without a duty: an injection and a consent of 2 March."""
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    injections.record(
        scan,
        assayed_activity_mbq=150.0,
        assayed_at=factories.NOON,
        residual_activity_mbq=0.0,
        residual_at=factories.NOON,
        injected_at=factories.NOON,
        weight_kg=70.0,
        injected_by=newcomer,
        despite="nobody else was there",
        by=coordinator,
    )
    patient = factories.make_patient(site, by=coordinator)
    factories.make_consent(
        patient, by=coordinator, obtained_by_user=newcomer, signed_at="2026-03-02"
    )


OF_DUTY = {"inject": "injected-without-delegation", "consent": "consent-without-delegation"}


def undelegated():
    """The rules of a duty that found something, and what became of it."""
    rows = Deviation.objects.filter(rule__in=OF_DUTY.values())
    return dict(rows.values_list("rule", "state"))


@pytest.mark.parametrize("duty", list(OF_DUTY))
def test_a_delegation_signed_for_an_earlier_day_takes_back_what_was_done_without(
    site, newcomer, leader, done, duty
):
    assert undelegated() == dict.fromkeys(OF_DUTY.values(), "drafted")
    delegated(site, newcomer, leader, duty, starts_on=date(2026, 3, 2))
    other = next(one for one in OF_DUTY if one != duty)
    assert undelegated() == {OF_DUTY[duty]: "closed", OF_DUTY[other]: "drafted"}


@pytest.mark.parametrize("duty", list(OF_DUTY))
def test_a_duty_that_ended_before_makes_deviations_of_what_was_done_since(
    site, newcomer, leader, done, duty
):
    row = delegated(site, newcomer, leader, duty, starts_on=date(2026, 3, 1))
    ended = delegations.end(row, ends_on=date(2026, 3, 2), reason="on leave", by=leader)
    assert undelegated()[OF_DUTY[duty]] == "closed"
    delegations.end(ended, ends_on=date(2026, 3, 1), reason="left a day before", by=leader)
    assert undelegated()[OF_DUTY[duty]] == "drafted"


def test_what_was_done_on_other_days_keeps_its_judgement(site, newcomer, leader, done):
    row = delegated(site, newcomer, leader, "inject", starts_on=date(2026, 3, 1))
    # Whoever has left holds nothing, and held it all the same.
    with factories.framed():
        newcomer.is_active = False
        newcomer.save(update_fields=["is_active"])
    delegations.end(row, ends_on=date(2026, 3, 31), reason="left", by=leader)
    assert undelegated()[OF_DUTY["inject"]] == "closed"


def test_a_delegation_is_signed_over_what_it_says(site, newcomer, leader):
    row = delegated(site, newcomer, leader)
    signature = signatures.of(row)
    assert (signature.signed_by, signature.content["duty"]) == (leader, "enrol")
    assert signature.content_sha256 == signatures.digest(signature.content)


def test_a_wrong_password_signs_nothing(site, newcomer, leader):
    with pytest.raises(Invalid, match="nothing was signed"):
        delegations.delegate(
            site,
            user=newcomer,
            duty="enrol",
            starts_on=TODAY(),
            ends_on=None,
            password="wrong",
            by=leader,
        )
    assert not site.delegations.filter(user=newcomer).exists()
    assert not Signature.objects.filter(signed_by=leader, content__person=str(newcomer)).exists()


def test_a_form_to_sign_is_no_place_to_guess_a_password(site, leader):
    for _ in range(5):
        with pytest.raises(Invalid):
            signatures.require_password(leader, "guess")
    with pytest.raises(Refused, match="fifteen minutes"):
        signatures.require_password(leader, factories.PASSWORD)
