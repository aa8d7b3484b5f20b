"""From which adrenal ratio on a side is called: loaded from the trial file, said, refused."""

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
AT_TEN = "cut_off: 1.5, boundary: at_least, minutes: 10, tolerance_minutes: 3"


def loaded(*rules: str):
    items = ", ".join(f"{{{rule}, source: [DEMO]}}" for rule in rules)
    return protocols.load_trial(f"{DEMO}\nlateralisation: [{items}]\n", by=jobs.system_user())


@pytest.mark.parametrize("is_proposed", [False, True])
def test_a_cut_off_is_loaded_and_said_and_calls_no_side_while_proposed(client, is_proposed):
    version = loaded(f"{AT_TEN}{', provenance: proposed' if is_proposed else ''}").version
    assert [one["cut_off"] for one in version.lateralisation] == ([] if is_proposed else [1.5])
    client.force_login(factories.make_user(Role.MONITOR, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    assert "SUVmax is at least 1.5, 10 ± 3 min after injection" in page
    assert ("It calls no side until then." in page) is is_proposed


@pytest.mark.parametrize(
    "rules",
    [
        ["cut_off: 1.0, boundary: at_least, minutes: 10, tolerance_minutes: 3"],
        ["cut_off: 1.5, minutes: 10, tolerance_minutes: 3"],
        ["cut_off: 1.5, boundary: at_least, minutes: 10"],
        [AT_TEN, "cut_off: 1.4, boundary: above, minutes: 15, tolerance_minutes: 2"],
    ],
    ids=["reached-by-all", "no-boundary", "no-tolerance", "two-at-one-time"],
)
def test_a_cut_off_that_says_nothing_certain_is_refused(rules):
    with pytest.raises(Invalid, match="lateralisation"):
        loaded(*rules)
