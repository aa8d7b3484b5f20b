"""The rows of each dataset: read whole, in few queries, and nothing that must stay."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from imaging.models import GrownLesion, GrownMirrorImage, Lesion, Quantification, Read, Series
from reporting import csvtext
from reporting.cut_off import CutOff, event_of
from reporting.datasets import DATASETS
from reporting.selectors import rows
from reporting.selectors.sources import base
from tests import factories
from tests.reporting import cohort
from trials import read_rules
from trials.models import (
    CriterionResult,
    EligibilityAssessment,
    Evidence,
    Finding,
    Patient,
    ScheduledScan,
    Trial,
)
from trials.services import counted_reads, deviations, evidence

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def cohorts(kept) -> dict[int, cohort.Cohort]:
    """Made once for the tests that only read, by the number of patients."""
    return {size: cohort.make_cohort(size) for size in (1, 2, 3)}


@pytest.fixture
def trial_of(cohorts, db) -> Callable[[int], Trial]:
    return lambda size: Trial.objects.get(pk=cohorts[size].trial.pk)


def read(name: str, trial) -> list[dict[str, str]]:
    """A dataset as someone reads it who has nothing of ours."""
    dataset = DATASETS[name]
    text = b"".join(csvtext.lines(dataset.columns, rows.of(dataset, trial))).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("size", [1, 3])
def test_a_dataset_is_one_query_however_many_rows(name, size, trial_of, django_assert_num_queries):
    trial = trial_of(size)
    with django_assert_num_queries(1):
        found = list(rows.of(DATASETS[name], trial))
    assert len(found) % size == 0
    assert len(found) >= size


def test_findings_say_whether_their_read_counts():
    made = cohort.make_cohort()
    assert {row["is_accepted"] for row in read("findings", made.trial)} == {"N"}
    found = Finding.objects.filter(patient__trial=made.trial).first()
    count = read_rules.counted({}, signed=[found.source_pk], are_discordant=False)
    with factories.framed():
        counted_reads.keep(found.scheduled_scan, count, source=Read(pk=found.source_pk))
    assert {row["is_accepted"] for row in read("findings", made.trial)} == {"Y"}


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_trial_gives_the_header_alone(name):
    dataset = DATASETS[name]
    trial = factories.make_trial()
    written = list(csvtext.lines(dataset.columns, rows.of(dataset, trial)))
    assert written == [",".join(dataset.column_names).encode() + b"\r\n"]


@pytest.mark.parametrize("name", DATASETS)
def test_a_column_that_is_never_empty_is_never_empty(name, trial_of):
    trial = trial_of(2)
    never = {column.name for column in DATASETS[name].columns if not column.missing}
    empty = {key for row in read(name, trial) for key, value in row.items() if not value}
    assert empty & never == set()


@pytest.mark.parametrize("name", DATASETS)
def test_keys_tell_rows_apart(name, trial_of):
    trial = trial_of(2)
    keys = [tuple(row[key] for key in DATASETS[name].keys) for row in read(name, trial)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", DATASETS)
def test_rows_of_another_trial_are_left_out(name, trial_of):
    # There are two more trials, with rows in every dataset.
    other = trial_of(1)
    assert {row["trial"] for row in read(name, other)} == {other.identifier}


def test_responses_are_those_that_stand_with_the_change_they_rest_on():
    made = cohort.make_cohort()
    (row,) = read("responses", made.trial)
    assert (row["criterion"], row["category"], row["change_percent"]) == ("percist", "PMR", "-50.0")
    assert (row["flags"], row["baseline_scan"]) == ("scale-made-for-fdg", "")
    assert row["change_percent_derivation"].endswith("/response/")


def test_lesions_on_ct_have_their_length_and_the_read_they_stand_in():
    made = cohort.make_cohort()
    (row,) = read("recist_lesions", made.trial)
    assert (row["lesion"], row["kind"], row["region"]) == ("T1", "TARGET", "liver")
    assert (row["state"], row["diameter_mm"]) == ("measured", "21.5")
    assert row["diameter_mm_derivation"] == f"/reads/{row['read']}/"


def test_lesions_that_a_reader_grew_are_compared_with_the_mirror_images_they_accepted():
    made = cohort.make_cohort()
    (row,) = read("grown_ratios", made.trial)
    assert (row["lesion_number"], row["region_kind"]) == ("3", "contralateral_brain")
    # 9, 7.5 and 6 g/mL over 0.75.
    assert (row["tbr"], row["tbr_peak"], row["tbr_mean"]) == ("12.0", "10.0", "8.0")
    grown = GrownLesion.objects.latest("pk")
    assert row["tbr_derivation"] == reverse("derivation_grown", args=[grown.pk, "tbr"])
    images = GrownMirrorImage.objects.all()
    with factories.framed():
        images.update(accepted_at=None)
    assert list(read("grown_ratios", made.trial)) == []
    with factories.framed():
        images.update(accepted_at=factories.NOON)
        grown.lesionread.decision = "excluded"
        grown.lesionread.organ, grown.lesionread.reason = "brain", "choroid plexus"
        grown.lesionread.save()
    assert list(read("grown_ratios", made.trial)) == []


def test_pairs_are_those_that_stand_each_with_its_lesions():
    made = cohort.make_cohort()
    both, alone = read("pairs", made.trial)
    assert (both["outcome"], both["first_suvmax"], both["second_suvmax"]) == (
        "both",
        "12.25",
        "12.25",
    )
    assert (both["body_region"], both["first_parts"]) == ("liver", "0")
    assert (alone["outcome"], alone["first_suvmax"], alone["second_lesion"]) == (
        "first-only",
        "6.0",
        "",
    )
    with factories.framed():
        Quantification.objects.filter(is_current=True).update(is_current=False)
    assert read("pairs", made.trial) == []


@pytest.mark.requirement("R115")
def test_numbers_are_written_in_full():
    row = read("lesions", cohort.make_cohort().trial)[0]
    # 0.1 + 0.2 in double precision, by IEEE 754.
    assert row["suvmean"] == "0.30000000000000004"
    assert row["centroid_x_mm"] == "-12.5"


def test_each_quantity_of_a_lesion_opens_its_derivation():
    made = cohort.make_cohort()
    lesion = Lesion.objects.filter(
        quantification__series__imaging_study__scheduled_scan__patient__trial=made.trial,
        quantification__is_current=True,
    ).first()
    row = read("lesions", made.trial)[0]
    assert row["suvmax_derivation"] == f"/derivations/lesion/{lesion.pk}/suvmax/"
    assert row["total_uptake_derivation"] == f"/derivations/lesion/{lesion.pk}/total_uptake/"


def test_only_the_current_run_leaves():
    made = cohort.make_cohort()
    assert [row["run"] for row in read("series", made.trial)] == ["2"]
    assert [row["number"] for row in read("lesions", made.trial)] == ["1", "2"]


def test_a_series_that_was_never_measured_is_a_row_without_numbers():
    made = cohort.make_cohort()
    measured = Series.objects.get(imaging_study__scheduled_scan__patient__trial=made.trial)
    with factories.framed():
        Series.objects.create(
            imaging_study=measured.imaging_study,
            transmittal=measured.transmittal,
            series_instance_uid="2.25.9",
            modality="CT",
        )
    row = read("series", made.trial)[1]
    assert (row["modality"], row["run"], row["suvmax"], row["threshold_suv"]) == ("CT", "", "", "")


def test_a_refused_run_tells_its_code_and_has_no_number():
    made = cohort.make_cohort()
    series = Series.objects.get(imaging_study__scheduled_scan__patient__trial=made.trial)
    with factories.framed():
        series.quantifications.update(is_current=False)
        Quantification.objects.create(
            series=series,
            run=3,
            status="refused",
            code="weight-missing",
            input_sha256=cohort.INPUT_SHA256,
            software_version="test",
        )
        series.state, series.code = "refused", "weight-missing"
        series.save(update_fields=["state", "code"])
    row = read("series", made.trial)[0]
    assert (row["status"], row["code"], row["suvmax"]) == ("refused", "weight-missing", "")
    assert read("lesions", made.trial) == []


def test_the_checklist_answer_of_a_satisfied_exclusion_is_no():
    row = read("eligibility", cohort.make_cohort().trial)[0]
    assert (row["word"], row["answer"]) == ("satisfied", "N")


def test_only_the_newest_assessment_of_a_gate_leaves():
    made = cohort.make_cohort()
    patient = Patient.objects.get(trial=made.trial)
    fact = Evidence.objects.get(patient=patient, variable="creatinine")
    cohort.assess(patient, made.coordinator, fact)
    newest = patient.assessments.first()
    row = read("eligibility", made.trial)
    assert [one["assessment"] for one in row] == [str(newest.pk)]
    assert row[0]["evidence"] == str(fact.pk)


def test_a_corrected_value_takes_the_place_of_the_first():
    made = cohort.make_cohort()
    fact = Evidence.objects.get(patient__trial=made.trial, variable="creatinine")
    evidence.correct(
        fact,
        value=1.1,
        unit="mg/dL",
        observed_at="2026-02-27",
        source="laboratory",
        reason="typing error",
        by=made.coordinator,
    )
    values = [
        r["value_number"] for r in read("evidence", made.trial) if r["variable"] == "creatinine"
    ]
    assert values == ["1.1"]


def test_a_residual_that_was_not_measured_is_empty_and_not_zero():
    row = read("scans", cohort.make_cohort().trial)[0]
    assert row["residual_activity_mbq"] == ""
    # 190.1 MBq of Ga-68 (half-life 4062.6 s, ICRP 107) after ten minutes.
    assert float(row["net_activity_mbq"]) == pytest.approx(190.1 * 2 ** (-600 / 4062.6), rel=1e-12)


def test_a_scan_without_injection_is_a_row_that_says_so():
    made = cohort.make_cohort(0)
    patient = factories.make_enrolled(made.site, by=made.coordinator)
    factories.make_scan(patient, by=made.coordinator)
    row = read("scans", made.trial)[0]
    injected = ("injected_at", "net_activity_mbq", "weight_kg", "uptake_minutes")
    assert (row["state"], *(row[name] for name in injected)) == ("scheduled", "", "", "", "")


def test_the_age_is_completed_years_at_the_first_consent():
    row = read("patients", cohort.make_cohort().trial)[0]
    # Born 1961-04-23, consent 2026-02-01: the birthday of 2026 was still to come.
    assert (row["birth_year"], row["age_at_consent"]) == ("1961", "64")


@pytest.mark.requirement("R118")
def test_a_formula_in_a_text_is_not_run_and_can_be_undone():
    row = next(r for r in read("deviations", cohort.make_cohort().trial) if not r["rule"])
    assert row["text"].startswith("'=HYPERLINK")
    assert csvtext.unguarded(row["text"]) == '=HYPERLINK("http://x")'


def test_a_deviation_is_dated_by_the_injection_of_its_scan_whenever_it_was_recorded():
    made = cohort.make_cohort()
    scan = ScheduledScan.objects.filter(patient__trial=made.trial, injection__isnull=False).first()
    with factories.framed():
        of_scan = deviations.draft_by_rule(scan, rule="late", text="Late.", values={})
        of_dose = deviations.draft_by_rule(scan.injection, rule="low", text="Low.", values={})
        of_else = deviations.draft_by_rule(scan.patient, rule="else", text="Else.", values={})
    found = {row["deviation"]: row["occurred_at"] for row in read("deviations", made.trial)}
    scans = {row["scan"]: row["injected_at"] for row in read("scans", made.trial)}
    given = datetime.fromisoformat(scans[str(scan.pk)]).replace(microsecond=0)
    zone = ZoneInfo(scan.patient.site.time_zone)
    assert found[str(of_scan.pk)] == found[str(of_dose.pk)] == given.astimezone(zone).isoformat()
    assert found[str(of_else.pk)] == ""


@pytest.mark.parametrize("signed", ["2026-02-27", "2026-02-27T09:30:00+01:00"])
def test_a_deviation_of_a_consent_is_dated_by_its_signature_and_meets_a_cut_off(signed):
    made = cohort.make_cohort()
    patient = Patient.objects.get(trial=made.trial)
    # No form of this version was ever approved.
    consent = factories.make_consent(patient, by=made.coordinator, version="0.1", signed_at=signed)
    with factories.framed():
        by_hand = deviations.draft_by_rule(consent, rule="else", text="Else.", values={})
    found = {row["deviation"]: row for row in read("deviations", made.trial)}
    (of_form,) = (one for one in found.values() if one["rule"] == "consent-form-not-in-force")
    assert of_form["occurred_at"] == signed
    assert found[str(by_hand.pk)]["occurred_at"] == ""
    dataset = DATASETS["deviations"]
    for day, stays in (("2026-02-26", False), ("2026-02-27", True)):
        cut = CutOff(date.fromisoformat(day), {"001": ZoneInfo("Europe/Berlin")})
        left = list(cut.rows(dataset, event_of(dataset), rows.of(dataset, made.trial)))
        at = dataset.column_names.index("deviation")
        assert (int(of_form["deviation"]) in {row[at] for row in left}) == stays


def test_an_assessment_after_a_cut_off_does_not_take_the_place_of_one_before_it():
    """The day ends by the clock of the site: 23:00 of the 15th in Greenwich is midnight there."""
    made = cohort.make_cohort()
    every = EligibilityAssessment.objects.filter(patient__trial=made.trial)
    result = CriterionResult.objects.get(assessment__in=every)
    kept = result.assessment
    with factories.framed():
        every.update(assessed_at=datetime(2026, 3, 1, tzinfo=UTC))
        EligibilityAssessment.objects.filter(pk=kept.pk).update(
            assessed_at=datetime(2026, 3, 15, 22, tzinfo=UTC)
        )
        again = EligibilityAssessment.objects.create(
            patient=kept.patient,
            version=kept.version,
            gate=kept.gate,
            verdict="ineligible",
            assessed_at=datetime(2026, 3, 15, 23, tzinfo=UTC),
            assessed_by=kept.assessed_by,
        )
        CriterionResult.objects.create(
            assessment=again, criterion=result.criterion, outcome="not_met", word="excludes"
        )
    dataset = DATASETS["eligibility"]
    at = dataset.column_names.index("assessment")
    zones = {kept.patient.site.code: ZoneInfo("Europe/Berlin")}
    for day, newest in ((14, None), (15, kept.pk), (16, again.pk)):
        cut = CutOff(date(2026, 3, day), zones)
        found = rows.of(dataset, made.trial, ends=cut.ends)
        left = {row[at] for row in cut.rows(dataset, event_of(dataset), found)}
        assert left == ({newest} if newest else set())
    assert {row[at] for row in rows.of(dataset, made.trial)} == {again.pk}


@pytest.mark.requirement("R127")
def test_what_must_stay_appears_in_no_file():
    made = cohort.make_cohort()
    patient = Patient.objects.get(trial=made.trial)
    series = Series.objects.get(imaging_study__scheduled_scan__patient=patient)
    with factories.framed():
        Patient.objects.filter(pk=patient.pk).update(date_shift_days=-98765)
    stays = [
        "Canary",
        "1961-04",
        "98765",
        "1999-01-01",
        series.reading_identifier,
        made.coordinator.username,
        bytes(made.trial.uid_key).hex(),
    ]
    text = "\n".join(
        line.decode()
        for dataset in DATASETS.values()
        for line in csvtext.lines(dataset.columns, rows.of(dataset, made.trial))
    )
    assert [secret for secret in stays if secret in text] == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("derivation", (7, "suvmax")),
        ("derivation_grown", (7, "tbr")),
        ("read", (7,)),
        ("response_of_patient", (7,)),
    ],
)
def test_a_path_in_a_dataset_is_the_path_of_the_page(name, arguments):
    assert base.page(name, *arguments) == reverse(name, args=arguments)


def test_every_path_of_a_dataset_is_held_against_its_route():
    assert set(base.PAGES) == {"derivation", "derivation_grown", "read", "response_of_patient"}
