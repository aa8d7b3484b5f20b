"""The sealed list: handed to one role alone, on record, and telling whatever does not follow."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.trials.test_allocations import SEQUENCES, allocated, randomised, tell
from trials.models import AuditEvent, RandomisationListing
from trials.roles import Role
from trials.services import accounts, allocations, evidence, jobs
from trials.services.errors import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    trial = factories.make_trial()
    randomised(trial)
    return factories.make_site(trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def draw(site, capsys):
    """What the command prints, as rows and as messages."""
    holder = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial)

    def run(*options, by=holder, reason="opened after the database was locked"):
        named = {"username": by.username, "reason": reason}
        call_command("randomisation_list", site.trial.identifier, *options, **named)
        printed = capsys.readouterr()
        return list(csv.DictReader(io.StringIO(printed.out))), printed.err

    return run


def test_the_list_is_what_patients_were_given_and_anyone_with_the_seed_derives_it(
    site, coordinator, draw
):
    made = allocated(site, coordinator, 7)
    rows, told = draw("--places", "12")
    assert "Every allocation made follows from the list." in told
    given = {one["patient"]: one["sequence"] for one in rows if one["patient"]}
    assert given == {
        one.patient.identifier: allocations.sequence_of(one)["identifier"] for one in made
    }
    assert [int(one["slot"]) for one in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 12
    # RFC 2104 by the standard library, with nothing of ours.
    told_of = ("trialtrace randomisation 1", site.trial.identifier, made[0].scheme_sha256)
    seed = hmac.digest(bytes(site.trial.uid_key), "\n".join(told_of).encode(), "sha256")
    assert {one["seed_sha256"] for one in rows} == {hashlib.sha256(seed).hexdigest()}
    assert seed.hex() not in told
    listing = RandomisationListing.objects.get()
    assert (listing.places, listing.mismatches) == (len(rows), 0)
    event = AuditEvent.objects.get(table="trials_randomisationlisting")
    assert (event.action, event.reason) == (
        "randomisation.listed",
        "opened after the database was locked",
    )


def test_no_other_role_is_given_it(site, draw):
    for role in set(Role) - {Role.UNBLINDED_STATISTICIAN}:
        with pytest.raises(CommandError, match=r"does not include randomisation\.list"):
            draw(by=factories.make_user(role, trial=site.trial))
    assert not RandomisationListing.objects.exists()


def test_the_role_at_one_site_does_not_open_the_list_of_all(site, draw):
    of_one = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial, site=site)
    with pytest.raises(CommandError):
        draw(by=of_one)
    assert not RandomisationListing.objects.exists()


def test_who_is_given_another_role_from_tomorrow_on_is_refused_today(site, draw):
    later = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial)
    tomorrow = site.today() + timedelta(days=2)
    who = {"site": None, "by": jobs.system_user(), "starts_on": tomorrow}
    accounts.grant(later, Role.INVESTIGATOR, trial=site.trial, **who)
    with pytest.raises(CommandError, match="holds no other role"):
        draw(by=later)


def test_who_holds_another_role_in_the_trial_too_or_gives_no_reason_is_refused(site, draw):
    both = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial)
    with pytest.raises(CommandError, match="in a few words"):
        draw(by=both, reason="..")
    accounts.grant(
        both,
        Role.STATISTICIAN,
        trial=site.trial,
        site=None,
        by=jobs.system_user(),
        starts_on=date(2026, 1, 1),
    )
    with pytest.raises(CommandError, match="holds no other role"):
        draw(by=both)
    assert not RandomisationListing.objects.exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"position": 8}, "has slot 9 of stratum site=.*; the next one in order was slot 3"),
        ({"stratum": "site=999"}, "the values kept with the allocation say stratum site="),
        ({"seal": "0" * 64}, "what was given is not what the list has at slot 3"),
        ({"seal": ""}, "was sealed when it was made, and carries no seal"),
        ({"scheme_sha256": "0" * 64}, "states other sequences or strata"),
    ],
)
def test_an_allocation_that_does_not_follow_is_named_and_ends_in_an_error(
    site, coordinator, draw, change, told
):
    row = allocated(site, coordinator, 3)[-1]
    with factories.framed():
        type(row).objects.filter(pk=row.pk).update(**change)
    with pytest.raises(CommandError, match=f"{row.patient.identifier}: .*{told}") as refused:
        draw()
    assert refused.value.returncode == 3
    assert RandomisationListing.objects.get().mismatches > 0


def test_another_secret_would_change_every_sequence_and_is_seen(site, coordinator, draw):
    allocated(site, coordinator, 4)
    _, told = draw("--digest-only")
    filed = told.split("sealed seed: ")[1][:64]
    rows, _ = draw("--filed", filed)
    assert rows
    with factories.framed():
        type(site.trial).objects.filter(pk=site.trial.pk).update(uid_key=b"x" * 32)
    with pytest.raises(CommandError) as refused:
        draw("--filed", filed)
    assert refused.value.args[0].count("what was given is not what the list has") == 4
    assert f"filed digest {filed} is of none" in refused.value.args[0]


def test_a_list_is_written_for_its_owner_alone_and_over_nothing(site, coordinator, draw, tmp_path):
    allocated(site, coordinator)
    to = tmp_path / "list.csv"
    draw("--to", str(to))
    assert to.stat().st_mode & 0o777 == 0o600
    digest = hashlib.sha256(to.read_bytes()).hexdigest()
    assert RandomisationListing.objects.get().list_sha256 == digest
    with pytest.raises(CommandError, match="is there already"):
        draw("--to", str(to))


# ------------------------------------------------------------------- where a stratum came from

BY_DIAGNOSIS = {"by": "evidence", "variable": "diagnosis.group", "levels": ["NHL", "MM"]}


def test_a_stratum_corrected_afterwards_is_shown_as_it_was_and_is_and_moves_nobody(
    site, coordinator, client, draw
):
    randomised(site.trial, strata=[{"by": "site"}, BY_DIAGNOSIS])
    patient = factories.make_enrolled(site, by=coordinator)
    told = tell(patient, coordinator, "diagnosis.group", "NHL", "2026-03-02")
    row = allocations.allocate(patient, by=coordinator)
    client.force_login(coordinator)

    def parts():
        answer = client.get(reverse("api_allocation", args=[patient.pk])).json()
        return answer["sequence"], answer["strata"][1]

    sequence, part = parts()
    assert part == {
        "name": "diagnosis.group",
        "stratified_as": "NHL",
        "evidence": told.pk,
        "observed_at": "2026-03-02",
        "now": "NHL",
        "now_evidence": told.pk,
        "is_otherwise": False,
    }
    # Another disease later on is no mistake of the randomisation.
    tell(patient, coordinator, "diagnosis.group", "MM", timezone.now().isoformat())
    assert not parts()[1]["is_otherwise"]
    evidence.correct(
        told,
        value="MM",
        unit="",
        observed_at="2026-03-02",
        source="histology",
        reason="misread",
        by=coordinator,
    )
    found, part = parts()
    assert (found, part["stratified_as"], part["now"]) == (sequence, "NHL", "MM")
    page = client.get(reverse("patient_allocation", args=[patient.pk])).content.decode()
    assert "Mis-stratified" in page
    assert f"Evidence {told.pk}" in page
    row.refresh_from_db()
    assert row.stratum == f"site={site.code};diagnosis.group=NHL"
    assert "Every allocation" in draw()[1]


def test_the_sequences_of_this_file_are_those_of_the_list(draw, site):
    rows, _ = draw("--places", "6")
    assert {one["sequence"] for one in rows} == {one["identifier"] for one in SEQUENCES}


def test_who_was_given_the_list_gets_no_other_role_of_the_trial(site, draw):
    holder = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial)
    draw(by=holder)
    given = {"site": None, "by": jobs.system_user(), "starts_on": date(2026, 1, 1)}
    with pytest.raises(Refused, match="was given the sealed list"):
        accounts.grant(holder, Role.READER, trial=site.trial, **given)
    # Of another trial it tells nothing.
    assert accounts.grant(holder, Role.READER, trial=factories.make_trial(), **given)


def test_more_places_than_any_trial_has_are_refused(draw):
    with pytest.raises(CommandError, match="0 to 10000 places"):
        draw("--places", "1000000")
