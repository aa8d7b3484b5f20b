"""Accounts: hashed with Argon2, names never reused, roles and tokens that end."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from config.settings import base
from tests import factories
from trials.models import ApiToken, AuditEvent, Patient, User
from trials.roles import Role
from trials.services import accounts, calendars, jobs, sending_tokens
from trials.services.errors import Invalid

pytestmark = pytest.mark.django_db

PASSWORD = "gallium on the window sill"


def make(username="grace.hopper", password=PASSWORD) -> User:
    return accounts.create_user(
        username=username, password=password, full_name="Grace Hopper", by=jobs.system_user()
    )


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


def grant(user, site, role=Role.COORDINATOR, days=0):
    return accounts.grant(
        user,
        role,
        trial=site.trial,
        site=site,
        by=jobs.system_user(),
        starts_on=timezone.localdate() + timedelta(days=days),
    )


@pytest.mark.requirement("R36")
def test_passwords_are_kept_as_argon2id(settings):
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    user = make()
    assert user.password.startswith("argon2$argon2id$")
    assert user.check_password(PASSWORD)


@pytest.mark.requirement("R36")
@pytest.mark.parametrize(
    "password",
    ["elevenchars", "q1w2e3r4t5y6", "1029384756102", "grace.hopper1"],
    ids=["too short", "common", "digits alone", "like the user's name"],
)
def test_a_weak_password_makes_no_account(password):
    with pytest.raises(Invalid) as refusal:
        make(password=password)
    assert refusal.value.field == "password"
    assert not User.objects.filter(username="grace.hopper").exists()


@pytest.mark.requirement("R22")
@pytest.mark.parametrize("again", ["grace.hopper", "Grace.Hopper"])
def test_a_name_is_never_given_out_again(again):
    first = make()
    with factories.framed():
        User.objects.filter(pk=first.pk).update(is_active=False)
    with pytest.raises(Invalid, match="never reused"):
        make(again)


@pytest.mark.parametrize("name", ["", "grace hopper", "grace\n", "<b>"])
def test_a_name_that_can_not_be_one_is_refused(name):
    with pytest.raises(Invalid) as refusal:
        make(name)
    assert refusal.value.field == "username"


@pytest.mark.requirement("R13")
def test_an_account_and_its_role_are_on_the_record(site):
    user = make()
    membership = grant(user, site)
    made = AuditEvent.objects.get(table="trials_user", row=str(user.pk))
    granted = AuditEvent.objects.get(table="trials_membership", row=str(membership.pk))
    assert (made.action, made.actor_name) == ("user.created", "System")
    assert (granted.action, granted.trial) == ("membership.granted", site.trial_id)


@pytest.mark.requirement("R31")
@pytest.mark.parametrize(
    ("from_day", "to_day", "sees"),
    [(-9, None, True), (-9, 0, True), (-9, -1, False), (0, None, True), (1, None, False)],
    ids=["open", "last day", "ended yesterday", "first day", "from tomorrow"],
)
def test_a_role_grants_from_its_first_to_its_last_day(site, from_day, to_day, sees):
    patient = factories.make_patient(site)
    user = make()
    membership = grant(user, site, days=from_day)
    if to_day is not None:
        last = timezone.localdate() + timedelta(days=to_day)
        accounts.end_grant(membership, ends_on=last, reason="left", by=jobs.system_user())
    user = User.objects.get(pk=user.pk)
    assert list(Patient.objects.visible_to(user)) == ([patient] if sees else [])
    assert user.may("patient.screen") is sees


@pytest.mark.requirement("R34")
def test_a_deactivated_account_holds_no_role(rf, site):
    user = make()
    grant(user, site)
    with factories.framed():
        User.objects.filter(pk=user.pk).update(is_active=False)
    assert not User.objects.get(pk=user.pk).may("patient.screen")
    assert authenticate(rf.post("/"), username=user.username, password=PASSWORD) is None


def test_a_role_held_already_stays_one(site):
    user = make()
    assert grant(user, site) == grant(user, site, days=5)


def test_a_role_that_ended_can_be_given_anew(site):
    user = make()
    first = grant(user, site, days=-9)
    yesterday = timezone.localdate() - timedelta(days=1)
    accounts.end_grant(first, ends_on=yesterday, reason="left", by=jobs.system_user())
    assert grant(user, site) != first
    assert User.objects.get(pk=user.pk).may("patient.screen")


def test_a_role_is_not_given_twice_for_the_same_day(site):
    user = make()
    today = timezone.localdate()
    accounts.end_grant(grant(user, site), ends_on=today, reason="left", by=jobs.system_user())
    with pytest.raises(Invalid) as refusal:
        grant(user, site)
    assert refusal.value.field == "starts_on"


def test_a_role_does_not_end_before_it_starts(site):
    membership = grant(make(), site)
    yesterday = timezone.localdate() - timedelta(days=1)
    with pytest.raises(Invalid):
        accounts.end_grant(membership, ends_on=yesterday, reason="error", by=jobs.system_user())


def test_a_site_of_another_trial_is_refused(site):
    other = factories.make_site(factories.make_trial())
    with pytest.raises(Invalid) as refusal:
        accounts.grant(
            make(),
            Role.COORDINATOR,
            trial=site.trial,
            site=other,
            by=jobs.system_user(),
            starts_on=timezone.localdate(),
        )
    assert refusal.value.field == "site"


def test_a_token_names_its_user_and_is_kept_as_a_digest_alone():
    user = make()
    token, row = accounts.issue_token(user, label="script")
    assert accounts.user_of_token(token) == user
    assert token not in str(ApiToken.objects.filter(pk=row.pk).values())


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("change", ["expired", "revoked", "deactivated", "forged"])
def test_a_token_that_is_not_in_force_names_nobody(change):
    user = make()
    token, row = accounts.issue_token(user, label="script")
    now = timezone.now()
    with factories.framed():
        if change == "expired":
            ApiToken.objects.filter(pk=row.pk).update(expires_at=now)
        elif change == "revoked":
            ApiToken.objects.filter(pk=row.pk).update(revoked_at=now)
        elif change == "deactivated":
            User.objects.filter(pk=user.pk).update(is_active=False)
    assert accounts.user_of_token(token + "x" if change == "forged" else token) is None


def test_a_token_lives_twelve_hours():
    _, row = accounts.issue_token(make(), label="script")
    assert abs(row.expires_at - timezone.now() - timedelta(hours=12)) < timedelta(minutes=1)


# The commands of an installation.


def call(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch):
    """What comes in on standard input, which is no terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_the_first_accounts_are_made_from_the_command_line(rf, site, typed):
    typed(f"{PASSWORD}\n")
    call("add_user", "ada", "--full-name", "Ada Lovelace")
    call("grant_role", "ada", "coordinator", site.trial.identifier, "--site", site.code)
    user = authenticate(rf.post("/"), username="ada", password=PASSWORD)
    assert (str(user), user.may("patient.screen")) == ("Ada Lovelace", True)


def test_the_password_rules_hold_on_the_command_line_too(typed):
    typed("short\n")
    with pytest.raises(CommandError, match="at least 12"):
        call("add_user", "ada", "--full-name", "Ada Lovelace")


def test_a_role_is_ended_from_the_command_line_with_its_reason(site):
    user = make()
    grant(user, site)
    where = (user.username, "coordinator", site.trial.identifier, "--site", site.code)
    today = timezone.localdate().isoformat()
    with pytest.raises(CommandError, match="Say why"):
        call("grant_role", *where, "--end", today)
    call("grant_role", *where, "--end", today, "--reason", "left the site")
    ended = AuditEvent.objects.get(action="membership.ended")
    assert (ended.after, ended.reason) == ({"ends_on": today}, "left the site")


@pytest.mark.parametrize(
    "words", [("nobody", "coordinator", "{trial}"), ("{user}", "coordinator", "NONE")]
)
def test_an_unknown_user_or_trial_is_named(site, words):
    names = {"user": make().username, "trial": site.trial.identifier}
    with pytest.raises(CommandError, match=r"^No (user|trial) with"):
        call("grant_role", *(word.format(**names) for word in words))


@pytest.mark.requirement("R34")
def test_a_deactivated_account_ends_at_once_with_all_it_opened(rf, client, site):
    user = make()
    grant(user, site, role=Role.DATA_MANAGER)
    token, _ = accounts.issue_token(user, label="script")
    feed = calendars.renew(user)
    sending_tokens.issue(site, name="PACS 2", expires_on=site.today(), by=user)
    other = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    client.force_login(user)
    colleague = Client()
    colleague.force_login(other)
    assert client.get("/sites/").status_code == 200
    told = call("deactivate_user", user.username, "--reason", "left the sponsor")
    assert "The token of PACS 2" in told
    assert client.get("/sites/").status_code == 302
    assert colleague.get("/sites/").status_code == 200
    assert authenticate(rf.post("/"), username=user.username, password=PASSWORD) is None
    assert (accounts.user_of_token(token), calendars.user_of(feed)) == (None, None)
    assert not Session.objects.filter(pk=client.session.session_key).exists()
    ended = AuditEvent.objects.get(table="trials_user", action="user.deactivated")
    assert (ended.after, ended.reason) == ({"is_active": False}, "left the sponsor")
    made = AuditEvent.objects.get(action="sending_token.issued")
    assert made.actor_name == str(User.objects.get(pk=user.pk)) == "Grace Hopper"


def test_an_account_is_deactivated_once_and_with_a_reason():
    user = make()
    with pytest.raises(CommandError, match="Say why"):
        call("deactivate_user", user.username, "--reason", " ")
    call("deactivate_user", user.username, "--reason", "left")
    with pytest.raises(CommandError, match="is not active"):
        call("deactivate_user", user.username, "--reason", "left")
    with pytest.raises(CommandError, match="a part of the system"):
        call("deactivate_user", jobs.SYSTEM_USERNAME, "--reason", "left")
    with pytest.raises(CommandError, match="No user with"):
        call("deactivate_user", "nobody", "--reason", "left")


@pytest.fixture
def administrator(client, site):
    user = factories.make_user(Role.ADMINISTRATOR, trial=site.trial)
    client.force_login(user)
    return user


def end(client, user, **words):
    return client.post(f"/accounts/{user.pk}/end/", {"reason": "left the site"} | words)


def test_an_administrator_ends_an_account_having_seen_what_ends(client, site, administrator):
    user = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    accounts.issue_token(user, label="script")
    sending_tokens.issue(site, name="PACS 9", expires_on=site.today(), by=user)
    elsewhere = Client()
    elsewhere.force_login(user)
    page = client.get(f"/accounts/{user.pk}/end/")
    seen = page.context["opened"]
    assert (seen.sessions, seen.tokens, seen.has_calendar) == (1, 1, False)
    assert [one.role for one in seen.roles] == [Role.DATA_MANAGER]
    assert "PACS 9" in page.content.decode()
    assert end(client, user).status_code == 422
    answer = end(client, user, is_confirmed="on")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/")
    listed = client.get("/accounts/")
    assert "The token of PACS 9" in listed.content.decode()
    assert user not in listed.context["page"].object_list
    assert list(client.get("/accounts/?state=ended").context["page"].object_list) == [user]
    assert elsewhere.get("/sites/").status_code == 302
    on_trail = AuditEvent.objects.filter(reason="left the site").values_list(
        "action", "trial", "actor_name"
    )
    assert set(on_trail) >= {
        ("membership.ended", site.trial_id, str(administrator)),
        ("user.deactivated", None, str(administrator)),
    }
    assert user.memberships.get().ends_on == timezone.now().date()


def test_nobody_ends_their_own_account_nor_one_of_another_trial_too(client, site, administrator):
    other = factories.make_user(Role.READER, trial=site.trial)
    grant(other, factories.make_site(factories.make_trial()), role=Role.READER)
    stranger = factories.make_user(Role.READER, trial=factories.make_trial())
    for user, told in ((administrator, "own account"), (other, "a role elsewhere")):
        answer = end(client, user, is_confirmed="on")
        assert answer.status_code == 409
        assert told in answer.content.decode()
    assert end(client, stranger, is_confirmed="on").status_code == 404
    assert not User.objects.filter(is_active=False).exists()


def test_who_looks_after_one_site_ends_accounts_of_that_site_alone(client, site):
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial, site=site)
    here = factories.make_user(Role.READER, trial=site.trial, site=site)
    everywhere = factories.make_user(Role.READER, trial=site.trial)
    client.force_login(manager)
    assert end(client, everywhere, is_confirmed="on").status_code == 404
    assert end(client, here, is_confirmed="on").status_code == 302


@pytest.mark.parametrize("number", [1, 3])
def test_accounts_over_the_api_take_as_many_queries_for_three_as_for_one(
    client, site, administrator, django_assert_num_queries, number
):
    made = [factories.make_user(Role.READER, trial=site.trial) for _ in range(number)]
    with django_assert_num_queries(6):
        rows = client.get("/api/v1/accounts/?is_active=true").json()["results"]
    roles = {one["username"]: [held["role"] for held in one["roles"]] for one in rows}
    assert all(roles[one.username] == ["reader"] for one in made)
    answer = client.post(
        f"/api/v1/accounts/{made[0].pk}/end/", {"reason": "left"}, "application/json"
    ).json()
    assert (answer["account"]["is_active"], answer["still_sending"]) == (False, [])


def test_the_address_for_alarms_is_set_by_command(typed):
    typed(f"{PASSWORD}\n")
    call("add_user", "ada", "--full-name", "Ada Lovelace", "--email", "ada@example.org")
    assert User.objects.get(username="ada").email == "ada@example.org"
    call("set_email", "ada", "")
    assert User.objects.get(username="ada").email == ""
    with pytest.raises(CommandError, match="no e-mail address"):
        call("set_email", "ada", "ada at home")
