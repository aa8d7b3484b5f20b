"""What holds from a day on holds by the calendar of the site, wherever the server stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests import factories
from trials.models import Membership, ProtocolVersion, Site
from trials.roles import Role
from trials.selectors import patients, sites
from trials.services import accounts, amendments, consents, delegations, jobs
from trials.services.errors import Invalid
from trials.services.sites import missing, record_approval

pytestmark = pytest.mark.django_db
# It is another day than UTC's on the first from ten o'clock on, on the second until noon.
AHEAD, BEHIND = "Pacific/Kiritimati", "Etc/GMT+12"
DAY = timedelta(days=1)
from_day = pytest.mark.parametrize(
    ("days", "holds"), [(0, True), (1, False)], ids=["from today", "from tomorrow"]
)


@pytest.fixture
def site():
    """A site where it is not the day it is in UTC."""
    found = factories.make_site(factories.make_trial())
    zone = AHEAD if datetime.now(UTC).hour >= 10 else BEHIND
    with factories.framed():
        Site.objects.filter(pk=found.pk).update(time_zone=zone)
    found = Site.objects.get(pk=found.pk)
    assert found.today() != datetime.now(UTC).date()
    return found


@pytest.fixture
def manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


@from_day
def test_a_version_holds_from_its_day_there(site, manager, days, holds):
    before = site.version_in_force
    with factories.framed():
        newer = ProtocolVersion.objects.create(
            trial=site.trial, number=2, label="2.0", definition={}
        )
    amendments.activate(
        newer, site=site, effective_on=site.today() + days * DAY, reference="EC 7", by=manager
    )
    expected = newer if holds else before
    assert Site.objects.get(pk=site.pk).version_in_force == expected
    assert Site.objects.prefetch_related("activations").get(pk=site.pk).version_in_force == expected
    patient = factories.make_patient(site)
    line = patients.with_standing(type(patient).objects.filter(pk=patient.pk)).get()
    assert line.current_version_id == expected.pk


@from_day
def test_a_role_holds_from_its_day_there(site, days, holds):
    user = factories.make_user(Role.MONITOR, trial=factories.make_trial())
    held = accounts.grant(
        user,
        Role.COORDINATOR,
        trial=site.trial,
        site=site,
        starts_on=site.today() + days * DAY,
        by=jobs.system_user(),
    )
    assert Membership.objects.current().filter(pk=held.pk).exists() is holds


def test_a_role_holds_to_its_last_day_there(site):
    user = factories.make_user(Role.MONITOR, trial=factories.make_trial())
    scope = {"trial": site.trial, "site": site, "by": jobs.system_user()}
    held = accounts.grant(user, Role.COORDINATOR, starts_on=site.today() - 9 * DAY, **scope)
    for last, holds in ((site.today(), True), (site.today() - DAY, False)):
        with factories.framed():
            Membership.objects.filter(pk=held.pk).update(ends_on=last)
        assert Membership.objects.current().filter(pk=held.pk).exists() is holds


@from_day
def test_a_duty_holds_from_its_day_there(site, days, holds):
    user = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    with factories.framed():
        given = site.delegations.filter(user=user, duty="assess")
        assert given.update(starts_on=site.today() + days * DAY) == 1
    assert delegations.holds(user, "assess", site) is holds
    assert (user in delegations.delegated(site, "assess")) is holds


@from_day
def test_a_consent_form_is_in_force_from_its_day_there(site, days, holds):
    with factories.framed():
        site.consent_versions.update(valid_from=site.today() + days * DAY)
    assert bool(consents.forms_in_force(site)) is holds
    assert ("Consent form in force: missing." not in missing(site)) is holds


def test_an_approval_is_granted_by_the_day_there(site, manager):
    given = {"kind": "ethics", "reference": "EC 8", "expires_on": None, "by": manager}
    record_approval(site, granted_on=site.today(), **given)
    with pytest.raises(Invalid, match="in the future"):
        record_approval(site, granted_on=site.today() + DAY, **given)


def test_an_approval_is_warned_of_by_the_day_there(site):
    for days, warned in ((30, True), (31, False)):
        with factories.framed():
            site.approvals.update(expires_on=None)
            site.approvals.filter(kind="ethics").update(expires_on=site.today() + days * DAY)
        assert bool(sites.ending_soon(Site.objects.filter(pk=site.pk))) is warned
