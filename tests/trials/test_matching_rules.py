"""When lesions of two scans are proposed as one, as a trial file states it and a page says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse

from tests import factories
from trials.roles import Role
from trials.services import jobs, protocols
from trials.services.errors import Invalid

pytestmark = pytest.mark.django_db

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()


def loaded(rule: str):
    text = DEMO + (f"\nlesion_matching: {rule}\n" if rule else "")
    return protocols.load_trial(text, by=jobs.system_user())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "at least 25 % of the smaller lesion, else centres at most 15 mm apart (the usual"),
        (
            "{least_overlap: 0.5, largest_distance_mm: 10, provenance: proposed, source: [DEMO]}",
            "at least 50 % of the smaller lesion, else centres at most 10 mm apart (proposed in",
        ),
        (
            "{least_overlap: 1, largest_distance_mm: 7.5, source: [DEMO]}",
            "at least 100 % of the smaller lesion, else centres at most 7.5 mm apart (stated for",
        ),
    ],
)
def test_the_rule_is_loaded_and_said_with_where_it_comes_from(client, rule, said):
    made = loaded(rule)
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    page = client.get(reverse("trial", args=[made.trial.identifier])).content.decode()
    assert said in page


@pytest.mark.parametrize(
    "rule",
    [
        "{least_overlap: 0, largest_distance_mm: 10, source: [DEMO]}",
        "{least_overlap: 25, largest_distance_mm: 10, source: [DEMO]}",
        "{least_overlap: 0.25, source: [DEMO]}",
        "{least_overlap: 0.25, largest_distance_mm: 10}",
    ],
)
def test_a_rule_that_says_half_is_refused(rule):
    with pytest.raises(Invalid, match="lesion_matching"):
        loaded(rule)
