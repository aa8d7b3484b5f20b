"""When a lesion is positive by computation: loaded from the trial file, said, refused."""

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
SAID = "SUVpeak above 1 × mean + 2 × SD of the blood pool"


def loaded(rule: str):
    text = f"{DEMO}\npositivity: {{{rule}, source: [DEMO]}}\n"
    return protocols.load_trial(text, by=jobs.system_user())


@pytest.mark.parametrize("is_proposed", [False, True])
def test_a_rule_is_loaded_and_said_and_holds_unless_it_is_only_proposed(client, is_proposed):
    more = ", provenance: proposed" if is_proposed else ""
    version = loaded(f"region: blood_pool, times_mean: 1, times_sd: 2, on: suvpeak{more}").version
    assert bool(version.positivity) is not is_proposed
    client.force_login(factories.make_user(Role.MONITOR, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    assert SAID in page
    assert ("It holds for no lesion until then." in page) is is_proposed


@pytest.mark.parametrize(
    "rule",
    [
        "region: blood_pool, times_mean: 0, times_sd: 0, on: suvmax",
        "region: blood_pool, times_mean: 1, times_sd: 0",
        "region: brain, times_mean: 1, times_sd: 0, on: suvmax",
        "region: liver, times_mean: 1, times_sd: 0, on: suvmean",
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule):
    with pytest.raises(Invalid, match="positivity"):
        loaded(rule)
