"""A fact that is recorded while a response is being evaluated, with real commits."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from django.db import connection, transaction

from imaging.services import responses
from tests import factories
from trials.models import Patient
from trials.services import patients

LONG = 20.0


@pytest.mark.usefixtures("committed_db")
def test_what_is_recorded_before_a_response_is_begun_is_seen_by_it():
    """Else a fact that takes its time first and is committed later would never be asked for."""
    patient = factories.make_patient(factories.make_site(factories.make_trial()))
    is_held, may_end, begun = Event(), Event(), []

    def record() -> None:
        with transaction.atomic():
            patients.hold_still(patient)
            is_held.set()
            may_end.wait(LONG)
        connection.close()

    def begin() -> None:
        begun.append(responses.begun(patient.pk))
        connection.close()

    recording, beginning = Thread(target=record), Thread(target=begin)
    recording.start()
    assert is_held.wait(LONG)
    beginning.start()
    beginning.join(0.5)
    assert begun == []
    may_end.set()
    recording.join(LONG)
    beginning.join(LONG)
    assert [type(one) for one, _ in begun] == [Patient]
