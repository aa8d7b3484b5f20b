"""A cohort whose rows are really committed, as a snapshot needs."""

from __future__ import annotations

import pytest

from tests.reporting import cohort
from trials.models import Job


@pytest.fixture
def made(committed_db):
    """Two patients with a row in every dataset; no work is left behind for other tests."""
    made = cohort.make_cohort(2)
    yield made
    Job.objects.filter(actor=made.statistician).update(state=Job.State.DONE)
