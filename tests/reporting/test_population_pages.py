"""The pages of analysis populations: the flow, the units, a blind review, the flag of a patient."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reporting.models import PopulationReview
from tests import factories
from tests.reporting import cohort
from trials.models import Signature
from trials.roles import Role
from trials.services import deviations

pytestmark = pytest.mark.django_db


@pytest.fixture
def made():
    return cohort.make_cohort(2)


@pytest.fixture
def page(client, made):
    """What the statistician of the whole trial reads at an address."""
    client.force_login(made.statistician)

    def read(name: str, *args, **query) -> str:
        response = client.get(reverse(name, args=args), query)
        assert response.status_code == 200
        return response.content.decode()

    return read


def reviewed(client, made, population: str = "SAF") -> PopulationReview:
    """A review that was opened and signed on its pages."""
    address = reverse("population_review_new", args=[made.trial.identifier, population])
    assert client.post(address).status_code == 302
    return PopulationReview.objects.get(trial=made.trial, population=population, state="draft")


def decided(client, made, review: PopulationReview, is_in: str = "out"):
    first = made.trial.patients.order_by("identifier").first()
    address = reverse("population_decide", args=[review.pk]) + f"?patient={first.pk}"
    given = {"is_in": is_in, "reason": "the vial was mixed up", "version": review.version}
    return client.post(address, given)


def signed(client, review: PopulationReview):
    address = reverse("population_review_sign", args=[review.pk])
    form = client.get(address).context["form"]
    return client.post(address, form.initial | {"password": factories.PASSWORD})


def test_the_page_of_a_trial_shows_the_flow_with_a_link_for_each_box(page, made):
    text = page("populations_of_trial", made.trial.identifier)
    assert "Flow of patients" in text
    for name in ("RAND", "SAF", "FAS", "EVAL", "PP"):
        assert f"/populations/{name}/?show=in" in text
    assert "Screened: 2." in text
    assert "n = 2" in text


def test_the_page_of_a_population_says_why_of_each_unit(page, made):
    text = page("population", made.trial.identifier, "EVAL")
    assert text.count("no signed read counts yet") >= 2
    assert "No signed review decided this population" in text
    assert "No unit here" in page("population", made.trial.identifier, "EVAL", show="in")


def test_who_left_at_a_step_are_those_of_the_step_before(page, made, client):
    factories.make_patient(made.site, by=made.coordinator)
    left = page("population", made.trial.identifier, "SAF", show="out", after="step")
    assert "still in screening" not in left
    assert "still in screening" in page("population", made.trial.identifier, "SAF", show="out")


def test_a_review_is_opened_decided_and_signed_on_its_pages(client, page, made):
    review = reviewed(client, made)
    assert decided(client, made, review).status_code == 302
    assert signed(client, review).status_code == 302
    text = page("population_review", review.pk)
    assert "the vial was mixed up" in text
    assert "Nothing it rests on changed since" in text
    assert "1 of 2" in text
    deviations.record(made.trial.patients.first(), text="late", by=made.coordinator)
    text = page("population_review", review.pk)
    assert "is overtaken" in text
    assert "is new: recorded by a person" in text


def test_a_review_is_abandoned_on_its_page_and_shows_what_was_decided(client, page, made):
    review = reviewed(client, made)
    decided(client, made, review)
    address = reverse("population_review_abandon", args=[review.pk])
    assert address in page("population_review", review.pk)
    assert client.post(address, {"reason": "the cut-off moved"}).status_code == 302
    text = page("population_review", review.pk)
    assert "Abandoned" in text
    assert "the cut-off moved" in text
    assert "the vial was mixed up" in text
    text = page("population", made.trial.identifier, "SAF")
    assert "the cut-off moved" in text
    assert "Open a data review" in text


def test_the_api_abandons_a_review(client, made):
    client.force_login(made.statistician)
    review = reviewed(client, made)
    address = f"/api/v1/population-reviews/{review.pk}/"
    answer = client.post(
        f"{address}abandonment/", {"reason": "the cut-off moved"}, content_type="application/json"
    )
    assert answer.status_code == 200
    shown = client.get(address).json()
    assert (shown["state"], shown["abandoned_because"], shown["is_as_signed"]) == (
        "abandoned",
        "the cut-off moved",
        None,
    )


def test_a_second_decider_is_told_what_happened(client, page, made):
    review = reviewed(client, made)
    assert decided(client, made, review).status_code == 302
    late = decided(client, made, review, is_in="in")
    assert late.status_code == 409
    assert "meanwhile" in late.content.decode()


def test_a_wrong_password_is_said_beside_its_field(client, page, made):
    review = reviewed(client, made)
    address = reverse("population_review_sign", args=[review.pk])
    form = client.get(address).context["form"]
    response = client.post(address, form.initial | {"password": "guess"})
    assert response.status_code == 422
    assert not Signature.objects.filter(meaning="population").exists()


@pytest.mark.parametrize("population", ["PP", "SCANPP", "LESEVAL"])
def test_nothing_of_a_result_or_of_the_allocation_stands_on_an_open_review(
    client, page, made, population
):
    review = reviewed(client, made, population)
    text = page("population_review", review.pk)
    # What the cohort's reads, lesions and randomisation say.
    for hidden in ("12.25", "11.25", "SUV", "positive", "PMR", "XY1", "XY2", "HYPERLINK"):
        assert hidden not in text


def test_who_held_the_list_is_told_on_the_page_and_refused(client, page, made):
    review = reviewed(client, made)
    with factories.framed():
        made.statistician.memberships.create(
            trial=made.trial,
            role=Role.UNBLINDED_STATISTICIAN,
            starts_on="2026-01-01",
            ends_on="2026-01-02",
        )
    assert "somebody else has to decide and sign" in page("population_review", review.pk)
    assert decided(client, made, review).status_code == 409


def test_the_page_of_a_patient_says_in_which_populations_they_are(client, made):
    auditor = factories.make_user(Role.AUDITOR, trial=made.trial)
    client.force_login(auditor)
    patient = made.trial.patients.first()
    address = reverse("patient_populations", args=[patient.pk])
    assert address in client.get(reverse("patient", args=[patient.pk])).content.decode()
    assert "Not reviewed: counted as proposed" in client.get(address).content.decode()
    client.force_login(made.coordinator)
    assert address not in client.get(reverse("patient", args=[patient.pk])).content.decode()
    assert client.get(address).status_code == 403


@pytest.mark.parametrize(("name", "limit"), [("populations_of_trial", 15), ("population", 18)])
def test_a_page_costs_the_same_for_two_patients_and_for_four(
    client, page, made, name, limit, django_assert_num_queries
):
    signed(client, reviewed(client, made))
    args = [made.trial.identifier, *(["SAF"] if name == "population" else [])]
    page(name, *args)
    with CaptureQueriesContext(connection) as one:
        page(name, *args)
    for _ in range(2):
        cohort.add_patient(made)
    with django_assert_num_queries(len(one)):
        page(name, *args)
    assert len(one) <= limit


def test_the_api_gives_the_rows_and_the_flow_and_takes_a_review(client, page, made):
    base = f"/api/v1/trials/{made.trial.identifier}/populations/"
    steps = client.get(base).json()["flow"]
    assert [one["number"] for one in steps][:2] == [2, 2]
    units = client.get(f"{base}EVAL/", {"show": "out"}).json()["results"]
    assert {reason["condition"] for one in units for reason in one["reasons"]} == {"read"}
    review = client.post(f"{base}EVAL/reviews/").json()
    one = f"/api/v1/population-reviews/{review['id']}/"
    body = {
        "patient": units[0]["patient"],
        "is_in": True,
        "reason": "the read is on paper",
        "version": 1,
    }
    kind = "application/json"
    assert client.post(f"{one}decisions/", body, content_type=kind).json()["version"] == 2
    body = {
        "version": 2,
        "facts_sha256": client.get(one).json()["facts_sha256"],
        "password": factories.PASSWORD,
    }
    answer = client.post(f"{one}signature/", body, content_type=kind)
    assert answer.status_code == 200
    assert client.get(one).json()["is_as_signed"] is True
