"""The shell: log-in and lock, home, navigation, and what every page keeps to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from config import dashboard, navigation
from config.demo.accounts import PASSWORD as DEMO_PASSWORD
from config.settings import base
from tests import factories, records
from tests.conftest import ROOT
from trials.models import ApiToken, AuditEvent, Trial, User
from trials.roles import Role
from trials.services import accounts, jobs
from trials.services.errors import Invalid

pytestmark = pytest.mark.django_db

PASSWORD = "seventeen slow snails"
POLICY = {
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}


@pytest.fixture
def user():
    number = User.objects.count()
    return accounts.create_user(
        username=f"grace{number}", password=PASSWORD, full_name="Grace H", by=jobs.system_user()
    )


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


def log_in(client, user, password=PASSWORD):
    return client.post("/login/", {"username": user.username, "password": password})


# Accounts


@pytest.mark.requirement("R13")
def test_a_log_in_is_on_the_trail_and_keeps_no_password(client, user):
    answer = log_in(client, user)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    event = AuditEvent.objects.get(action="user.logged_in", actor=user.pk)
    assert (event.table, event.row) == ("trials_user", str(user.pk))
    assert PASSWORD not in str([event.before, event.after])


@pytest.mark.requirement("R13")
def test_a_failed_log_in_is_counted_and_keeps_no_password(client, user):
    answer = log_in(client, user, "a wrong one")
    assert "do not match" in answer.content.decode()
    attempt = AccessAttempt.objects.get(username=user.username)
    assert attempt.failures_since_start == 1
    assert "a wrong one" not in attempt.post_data


@pytest.mark.requirement("R36")
def test_five_wrong_passwords_lock_the_account_for_the_right_one_too(client, user):
    answers = [log_in(client, user, "wrong").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    assert log_in(client, user).status_code == 429


@pytest.mark.requirement("R36")
def test_a_lock_leaves_other_accounts_and_other_addresses_alone(client, user, django_user_model):
    other = accounts.create_user(
        username="ada", password=PASSWORD, full_name="Ada L", by=jobs.system_user()
    )
    for _ in range(5):
        log_in(client, user, "wrong")
    assert log_in(client, other).status_code == 302
    client.logout()
    words = {"username": user.username, "password": PASSWORD}
    assert client.post("/login/", words, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_lock_opens_after_a_quarter_of_an_hour(client, user):
    for _ in range(5):
        log_in(client, user, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert log_in(client, user).status_code == 429
    # The attempt above began the quarter of an hour anew.
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert log_in(client, user).status_code == 302


@pytest.mark.requirement("R36")
def test_passwords_are_kept_by_argon2id(settings):
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    user = accounts.create_user(
        username="hash", password=PASSWORD, full_name="H", by=jobs.system_user()
    )
    assert user.password.startswith("argon2$argon2id$")
    assert user.check_password(PASSWORD)


def test_an_account_whose_hash_is_of_an_older_kind_still_logs_in(client, user, settings):
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    with factories.framed():
        user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
        user.save(update_fields=["password"])
    assert log_in(client, user).status_code == 302


@pytest.mark.requirement("R36")
@pytest.mark.parametrize(
    "password", ["short", "1qaz2wsx3edc", "918273645546372819", "marguerite-smith"]
)
def test_a_weak_password_is_refused(password):
    with pytest.raises(Invalid) as refusal:
        accounts.create_user(
            username="marguerite",
            password=password,
            full_name="Marguerite Smith",
            by=jobs.system_user(),
        )
    assert refusal.value.field == "password"


def test_a_new_password_ends_other_sessions_and_tokens(client, user):
    other = client.__class__()
    log_in(client, user)
    log_in(other, user)
    token, _ = accounts.issue_token(user, label="script")
    new = "twenty quiet turtles"
    words = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/password/", words)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert other.get("/")["Location"] == "/login/?next=/"
    assert accounts.user_of_token(token) is None
    assert ApiToken.objects.get(user=user).revoked_at is not None
    assert AuditEvent.objects.filter(action="user.password_changed", actor=user.pk).exists()


@pytest.mark.parametrize(
    ("old", "new"), [("not the old one", "twenty quiet turtles"), (PASSWORD, "short")]
)
def test_a_password_is_not_changed_without_the_old_one_or_to_a_weak_one(client, user, old, new):
    log_in(client, user)
    words = {"old_password": old, "new_password1": new, "new_password2": new}
    answer = client.post("/password/", words)
    assert answer.status_code == 422
    assert "This was not recorded" in answer.content.decode()
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)


def test_logging_out_is_a_post_and_ends_the_session(client, user):
    log_in(client, user)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/")["Location"] == "/login/?next=/"


def test_a_log_in_does_not_lead_to_another_site(client, user):
    words = {"username": user.username, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/login/", words)["Location"] == "/"


def test_the_demonstration_shows_its_accounts_and_nothing_else_does(client, settings):
    assert DEMO_PASSWORD in client.get("/login/?as=monitor").content.decode()
    third = client.get("/login/?as=reader-3").content.decode()
    assert 'value="reader-3"' in third
    assert '<a href="?as=reader-3" aria-current="true">Reader 3</a>' in third
    settings.DEMO = False
    page = client.get("/login/?as=monitor").content.decode()
    assert DEMO_PASSWORD not in page
    assert "Demonstration" not in page
    assert 'value="monitor"' not in page


def test_production_starts_without_secrets_no_further_than_their_names():
    for missing in ("TRIALTRACE_SECRET_KEY", "TRIALTRACE_ALLOWED_HOSTS"):
        answer = in_production("check", without=missing)
        assert answer.returncode != 0
        assert missing in answer.stderr


def test_production_refuses_the_demonstration():
    answer = in_production("demo")
    assert answer.returncode != 0
    assert "not in production" in answer.stderr


def in_production(*words: str, without: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "TRIALTRACE_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFG",
        "TRIALTRACE_ALLOWED_HOSTS": "trial.example.org",
    }
    environment.pop(without, None)
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


# What every page keeps to


class Page(HTMLParser):
    """What a page holds that the policy or a reader with a screen reader cares about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.headings = 0
        self.tables = 0
        self.captions = 0
        self.labelled: set[str] = set()
        self.inputs: list[str] = []
        self.current = 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.inline += [name for name in given if name == "style" or re.match(r"on[a-z]", name)]
        self.inline += [tag] * (tag == "style" or (tag == "script" and "src" not in given))
        self.headings += tag == "h1"
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.current += given.get("aria-current") == "page"
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "img":
            self.links.append(given.get("src", ""))
        if tag == "label" and given.get("for"):
            self.labelled.add(given["for"])
        if tag in {"input", "select", "textarea"} and given.get("type") not in {"hidden", "submit"}:
            self.inputs.append(given.get("id") or "aria-label" * ("aria-label" in given))


def test_an_inline_style_and_an_inline_script_would_be_seen():
    page = Page('<p style="color:red" onclick="x()"><script>x()</script><style></style>')
    assert page.inline == ["style", "onclick", "script", "style"]


@pytest.fixture(scope="module")
def filled(kept) -> Trial:
    """A trial with a row of every kind, for each role to walk through."""
    site = factories.make_site(factories.make_trial())
    records.make_record(site, by=records.everyone(site.trial))
    return site.trial


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
def test_every_link_a_role_sees_opens_and_every_page_keeps_to_the_rules(client, filled, role):
    client.force_login(factories.make_user(role, trial=filled, site=None))
    seen, ahead = set(), ["/", "/password/"]
    while ahead:
        address = ahead.pop()
        seen.add(address)
        response = client.get(address)
        assert (address, response.status_code) == (address, 200)
        directives = set(response["Content-Security-Policy"].split("; "))
        assert directives == POLICY
        if not response["Content-Type"].startswith("text/html"):
            continue
        page = Page(response.content.decode())
        assert (address, page.inline) == (address, [])
        assert (address, page.headings, page.captions) == (address, 1, page.tables)
        assert (address, set(page.inputs) - page.labelled) == (address, set())
        ahead += [one for one in inside(page.links) if one not in seen and one not in ahead]
    assert len(seen) > 2


def inside(links: list[str]) -> set[str]:
    """Addresses of this site's pages, without fragments; filters by pages of a list aside."""
    paths = {link.split("#")[0] for link in links if link.startswith("/")}
    return {path for path in paths if path and not path.startswith("/static/")}


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.READER, ["Home", "Reading", "Comparisons"]),
        (Role.ADMINISTRATOR, ["Home", "Accounts", "Jobs"]),
        (
            Role.STATISTICIAN,
            [
                "Home",
                "Trials",
                "Paired lesions",
                "Response",
                "Normal organs",
                "Populations",
                "Exports",
            ],
        ),
        (
            Role.TECHNOLOGIST,
            [
                "Home",
                "Worklist",
                "Trials",
                "Sites",
                "Patients",
                "Forms",
                "Images",
                "Queries",
                "Deviations",
            ],
        ),
    ],
)
def test_the_side_bar_shows_what_the_role_opens(client, site, role, shown):
    client.force_login(factories.make_user(role, trial=site.trial, site=site))
    shell = client.get("/").context["shell"]
    labels = [entry["label"] for group in shell["navigation"] for entry in group["entries"]]
    assert labels == shown


def test_a_page_marks_the_entry_it_belongs_to(client, site):
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    patient = factories.make_patient(site, by=coordinator)
    client.force_login(coordinator)
    assert marked(client, "/patients/") == [("Patients", "page")]
    assert marked(client, f"/patients/{patient.pk}/") == [("Patients", "true")]


def marked(client, address: str) -> list[tuple[str, str]]:
    groups = client.get(address).context["shell"]["navigation"]
    entries = [entry for group in groups for entry in group["entries"]]
    return [(entry["label"], entry["current"]) for entry in entries if entry["current"]]


@pytest.mark.parametrize("memberships", [1, 3])
def test_the_shell_costs_one_query_however_many_roles_one_holds(
    client, django_assert_num_queries, memberships
):
    user = factories.make_user()
    for _ in range(memberships):
        records.grant_everything(user, trial=factories.make_trial())
    client.force_login(user)
    # Session, user, roles.
    with django_assert_num_queries(3):
        client.get("/password/")


def test_home_counts_what_waits_within_the_users_sites(client, site):
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    elsewhere = factories.make_site(site.trial)
    factories.make_patient(site, by=coordinator)
    factories.make_patient(elsewhere)
    client.force_login(coordinator)
    cards = {card["title"]: card["count"] for card in client.get("/").context["cards"]}
    assert cards == {
        "Patients in screening": 1,
        "Queries to answer": 0,
        "Images that wait too long": 0,
        "Reports due": 0,
    }


def test_a_stranger_sees_the_log_in_alone(client):
    for address in ("/", "/patients/", "/password/", "/transmittals/", "/api/v1/docs/"):
        assert client.get(address).status_code in {302, 401}
    page = client.get("/nowhere/")
    assert page.status_code == 404
    assert 'aria-label="Main"' not in page.content.decode()


def test_a_form_without_its_token_is_refused_with_advice(user):
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/login/", {"username": user.username, "password": PASSWORD})
    assert answer.status_code == 403
    assert "log in if you are asked to" in answer.content.decode()


def test_a_refusal_says_what_and_what_to_do(client, site):
    client.force_login(factories.make_user(Role.READER, trial=site.trial))
    answer = client.get("/patients/")
    assert answer.status_code == 403
    text = answer.content.decode()
    assert "Your role in this trial does not include patient.view." in text
    assert "ask the data manager" in text


def test_every_icon_a_page_asks_for_is_in_the_sheet():
    """A missing one would leave a hole and say nothing."""
    sheet = (ROOT / "config/static/config/icons.svg").read_text()
    held = set(re.findall(r'symbol id="([a-z0-9-]+)"', sheet))
    asked = {kind.icon for kind in dashboard.KINDS}
    asked |= {entry.icon for _, entries in navigation.GROUPS for entry in entries}
    for template in ROOT.glob("*/templates/**/*.html"):
        text = template.read_text()
        asked |= set(re.findall(r'{% icon "([a-z0-9-]+)"', text))
        asked |= set(re.findall(r'{% empty_state "[^"]*" "[^"]*" "([a-z0-9-]+)"', text))
    assert asked <= held
