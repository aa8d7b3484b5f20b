"""What the counting read found, as evidence: told, judged, frozen, and doubted when it ends."""

from __future__ import annotations

import pytest

from imaging.services import read_results
from tests.factories import framed
from tests.imaging.test_adjudications import (
    SUV,
    Scene,
    arranged,
    differ,
    pet_site,
    read_as,
    scene,
    settled,
    state,
)
from trials import frozen
from trials.models import EligibilityAssessment, EligibilityCriterion, Evidence, ProtocolVersion
from trials.services import assessments, evidence, verdicts
from trials.services.errors import Invalid

__all__ = ["arranged", "pet_site", "scene"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

POSITIVE = {
    "op": "eq",
    "var": "read.visual_positivity",
    "value": "positive",
    "scan": "scan_ptf",
}
HOT = {"op": "gt", "var": "read.suvmax", "value": 10, "unit": "g/mL", "scan": "scan_ptf"}


@pytest.fixture
def judged(scene, everyone):
    """The same scene with a criterion on what readers find; a function that assesses it."""
    with framed():
        for position, (name, expression) in enumerate((("VIS", POSITIVE), ("SUV", HOT))):
            EligibilityCriterion.objects.create(
                version=ProtocolVersion.objects.get(),
                identifier=name,
                position=position,
                category="inclusion",
                text="Lesions that take up the tracer",
                gate="enrolment",
                expression=expression,
            )

    def assess() -> dict[str, tuple[str, str]]:
        row = assessments.assess(scene.scan.patient, gate="enrolment", by=everyone)
        return {one.criterion.identifier: (one.word, one.reason) for one in row.results.all()}

    return assess


def told(scene: Scene) -> dict[str, object]:
    rows = scene.scan.patient.evidence.filter(superseded_by=None, finding__isnull=False)
    return {one.variable: one.value for one in rows}


def test_what_the_counting_read_found_lets_a_patient_in(scene, judged):
    read_as(scene, scene.first, lesion=True)
    first = read_as(scene, scene.second, lesion=True)
    assert told(scene) == {
        "read.suvmax": pytest.approx(SUV, rel=1e-5),
        "read.visual_positivity": "positive",
    }
    found = judged()
    assert {word for word, _ in found.values()} == {"satisfied"}
    assert found["SUV"][1].startswith("SUVmax by signed read, scan scan_ptf: 13.8")
    row = Evidence.objects.get(variable="read.suvmax", finding__isnull=False)
    assert (row.unit, row.finding.test, row.finding.run) == ("g/mL", "SUVMAX", 1)
    assert row.finding.source_pk != first.pk
    inputs = EligibilityAssessment.objects.latest("pk").inputs
    assert frozen.digest(inputs) == EligibilityAssessment.objects.latest("pk").inputs_sha256
    assert any(one["evidence"] == row.pk for one in inputs["record"]["facts"])


def test_where_readers_differ_the_verdict_says_so_by_name(scene, judged):
    differ(scene)
    word, reason = judged()["VIS"]
    assert word == "cannot tell"
    assert "Two readers differ, awaiting adjudication by a third reader." in reason
    assert told(scene) == {}


def test_an_adjudication_tells_what_it_chose_and_its_void_takes_the_verdict_along(scene, judged):
    _, other = differ(scene)
    settled(scene, other)
    assert judged()["VIS"][0] == "excludes"
    assessment = EligibilityAssessment.objects.latest("pk")
    assert verdicts.changed_since(assessment) == []
    read_as(scene, scene.second, lesion=True, reason="saw the CT")
    changes = verdicts.changed_since(assessment)
    assert any("visual positivity by signed read was corrected" in one for one in changes)
    assert judged()["VIS"][0] == "satisfied"


def test_a_finding_whose_read_ended_is_known_no_more(scene, judged):
    state(scene, provenance="proposed")
    read_as(scene, scene.first, lesion=True)
    assert judged()["SUV"][0] == "satisfied"
    assessment = EligibilityAssessment.objects.latest("pk")
    with framed():
        read_results.end([scene.series.pk])
    assert verdicts.changed_since(assessment) != []
    word, reason = judged()["SUV"]
    assert word == "cannot tell"
    assert "No signed read of this scan holds: it is to be read." in reason


def test_only_what_a_criterion_asks_of_that_scan_is_told(scene):
    state(scene, provenance="proposed")
    read_as(scene, scene.first, lesion=True)
    assert not scene.scan.patient.evidence.filter(variable__startswith="read.").exists()


def test_nobody_records_what_a_read_has_to_say(scene, everyone):
    with pytest.raises(Invalid, match="comes from the read that counts"):
        evidence.record(
            scene.scan.patient,
            variable="read.suvmax",
            value=12.0,
            unit="g/mL",
            observed_at="2026-03-02",
            is_study_specific=False,
            source="report",
            by=everyone,
        )
