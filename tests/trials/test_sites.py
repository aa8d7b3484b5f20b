"""Sites: added once, with a code that numbers can begin with and a time zone that exists."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from trials.models import AuditEvent, Site
from trials.services import jobs, sites
from trials.services.errors import Invalid, Refused

pytestmark = pytest.mark.django_db
GIVEN = {"code": "101", "name": "University Hospital", "time_zone": "Europe/Berlin"}


@pytest.fixture
def trial():
    return factories.make_trial()


def test_a_site_is_added_on_the_trail_of_its_trial(trial):
    site = sites.add(trial, by=jobs.system_user(), **GIVEN)
    event = AuditEvent.objects.get(table="trials_site", row=str(site.pk))
    assert (event.action, event.trial) == ("site.added", trial.pk)


@pytest.mark.parametrize(
    ("field", "value"), [("code", "a b"), ("code", ""), ("name", " "), ("time_zone", "Berlin")]
)
def test_what_cannot_be_is_refused_at_its_field(trial, field, value):
    with pytest.raises(Invalid) as caught:
        sites.add(trial, by=jobs.system_user(), **GIVEN | {field: value})
    assert caught.value.field == field


def test_a_code_is_given_once_in_a_trial(trial):
    sites.add(trial, by=jobs.system_user(), **GIVEN)
    with pytest.raises(Refused) as caught:
        sites.add(trial, by=jobs.system_user(), **GIVEN)
    assert caught.value.code == "site-exists"


def test_a_site_is_added_from_the_command_line(trial):
    out = io.StringIO()
    words = ("add_site", trial.identifier, "DE-7", "Klinikum", "--time-zone", "Europe/Berlin")
    call_command(*words, stdout=out)
    assert Site.objects.get(trial=trial, code="DE-7").time_zone == "Europe/Berlin"
    assert "takes part" in out.getvalue()
    with pytest.raises(CommandError, match="already"):
        call_command(*words)
    with pytest.raises(CommandError, match="load its file first"):
        call_command("add_site", "NONE", *words[2:])
