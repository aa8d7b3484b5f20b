"""Which act comes next for a patient, and which steps lie behind."""

from __future__ import annotations

import pytest

from trials.patient_way import Scan, Standing, next_act, steps

PLANNED = ("Pentixafor PET/CT", "FDG PET/CT")


def standing(state="screening", *, consent=True, evidence=True, verdict=None, **more):
    return Standing(state, consent, evidence, verdict, **more)


def scan(state, pk=1):
    return Scan(pk, "Pentixafor PET/CT", state)


@pytest.mark.parametrize(
    ("found", "page"),
    [
        (standing(consent=False, evidence=False), "consent_new"),
        (standing(evidence=False), "evidence_new"),
        (standing(), "patient_assess"),
        (standing(verdict="not_evaluable"), "evidence_new"),
        (standing(verdict="eligible"), "verdict_sign"),
        (standing(verdict="eligible", is_signed=True), "patient_enrol"),
        (standing(verdict="ineligible"), "screening_end"),
        (standing(consent=False, verdict="eligible"), "consent_new"),
        (standing("enrolled", unscheduled=PLANNED), "scan_new"),
        (standing("enrolled", scans=(scan("scheduled"),), unscheduled=PLANNED[1:]), "scan"),
        (standing("enrolled", scans=(scan("injected"),)), "upload"),
        (standing("enrolled", scans=(scan("images_received"),), unscheduled=PLANNED), "scan_new"),
        (standing("enrolled", scans=(scan("images_received"),)), "scan"),
        (standing("enrolled", scans=(scan("quantified"),)), ""),
        (standing("withdrawn", unscheduled=PLANNED), ""),
        (standing("screen_failed"), ""),
    ],
)
def test_the_next_act_follows_the_protocol(found, page):
    assert next_act(found).page == page


def test_the_scan_that_was_injected_is_the_one_to_upload():
    found = standing("enrolled", scans=(scan("quantified", 1), scan("injected", 2)))
    assert next_act(found).scan == 2


@pytest.mark.parametrize(
    ("found", "here"),
    [
        (standing(consent=False, evidence=False), "Consent"),
        (standing(), "Evidence"),
        (standing(verdict="not_evaluable"), "Evidence"),
        (standing(verdict="ineligible"), "Eligible"),
        (standing(verdict="eligible"), "Signed"),
        (standing(verdict="eligible", is_signed=True), "Enrolled"),
        (standing("enrolled", unscheduled=PLANNED), "Scans"),
        (standing("enrolled", scans=(scan("injected"),)), "Scans"),
        (standing("enrolled", scans=(scan("images_received"),)), "Measured"),
        (standing("enrolled", scans=(scan("quantified"),), unscheduled=PLANNED[1:]), "Scans"),
    ],
)
def test_the_first_step_not_done_is_where_the_patient_is(found, here):
    assert [step.label for step in steps(found) if step.is_current] == [here]


def test_every_step_is_behind_a_patient_whose_scans_are_all_measured():
    assert all(step.is_done for step in steps(standing("enrolled", scans=(scan("quantified"),))))


def test_a_step_is_never_behind_while_one_before_it_is_open():
    found = steps(standing(consent=False, verdict="eligible"))
    assert [step.is_done for step in found] == [True] + [False] * 7
