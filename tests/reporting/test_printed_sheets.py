"""Printed sheets, read back by another reader: what is on them, who may print, what is kept."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdf
import pytest
from django.urls import reverse

from reporting.models import PrintedSheet
from reporting.services import typesetting
from reporting.sheets import glyphs
from tests import factories
from tests.factories import NOON
from trials.models import AuditEvent, Patient, ScheduledScan, ScreenFailure, Site, Tracer
from trials.roles import Role
from trials.selectors import accountability as selectors
from trials.selectors import screening_log
from trials.services import (
    accountability,
    batches,
    deviations,
    enrolment,
    evidence,
    form_entries,
    injections,
    jobs,
    monitoring,
    protocols,
    queries,
)

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
SCREENED = {
    "consent_day_age": "61",
    "ethnicity": {"missing": "RF"},
    "height_cm": "171",
    "weight_kg": "70.5",
}
PAST = {"term": "Hypertension", "started_on": "2019", "is_ongoing": "yes", "is_treated": "no"}


@pytest.fixture
def site():
    made = factories.make_site(factories.make_trial("NCT00000068"), code="101")
    with factories.framed():
        Site.objects.filter(pk=made.pk).update(name="CHU Liège Łódź", time_zone="Europe/Brussels")
        Tracer.objects.filter(version__trial=made.trial).update(name="[⁶⁸Ga]Ga-Pentixafor")
    made.refresh_from_db()
    return made


@pytest.fixture
def technologist(site):
    return factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    return factories.make_scan(patient, by=coordinator)


def read(answer) -> pypdf.PdfReader:
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf"), answer.content
    return pypdf.PdfReader(io.BytesIO(answer.content))


def text_of(pdf: pypdf.PdfReader) -> str:
    """All text of all pages, each run of white space as one blank."""
    words = " ".join(page.extract_text() for page in pdf.pages).split()
    return " ".join(words).replace("Europe/ Brussels", "Europe/Brussels")


def printed(client, user, page: str, pk: int) -> pypdf.PdfReader:
    client.force_login(user)
    return read(client.get(reverse(page, args=[pk])))


def weigh(scan, kg: float, by) -> None:
    evidence.record(
        scan.patient,
        variable="weight",
        value=kg,
        unit="kg",
        observed_at="2026-03-02",
        is_study_specific=False,
        source="scale",
        scheduled_scan=scan,
        by=by,
    )


def test_the_worksheet_says_what_to_draw_on_the_clock_of_the_site(client, scan, technologist):
    """150 MBq one hour before are 150 * 2^(60 / 67.71) = 277.2 MBq of gallium-68."""
    pdf = printed(client, technologist, "scan_worksheet", scan.pk)
    text = text_of(pdf)
    assert "Planned injection 2026-03-02 13:00 Europe/Brussels" in text
    assert "12:00 60 min before 184.9 277.2 369.6" in text
    assert "13:30 to 14:00 (30 to 60 min after injection)" in text
    assert "[⁶⁸Ga]Ga-Pentixafor (Ga-68)" in text
    assert "CHU Liège Łódź" in text
    assert f"Page 1 of {len(pdf.pages)}" in text
    assert "protocol 1.0" in text


@pytest.mark.parametrize(
    ("planned_at", "said"),
    [
        # Clocks in Brussels go from 02:00 to 03:00 at 01:00 UTC on 29 March 2026.
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "01:45 45 min before"),
        (datetime(2026, 3, 29, 0, 45, tzinfo=UTC), "03:15 to 03:45 (30 to 60 min after"),
    ],
)
def test_minutes_are_counted_over_the_night_when_clocks_change(
    client, scan, technologist, planned_at, said
):
    with factories.framed():
        ScheduledScan.objects.filter(pk=scan.pk).update(planned_at=planned_at)
    assert said in text_of(printed(client, technologist, "booking_sheet", scan.pk))


def test_limits_by_weight_are_computed_for_the_weight_on_record(
    client, scan, technologist, coordinator
):
    with factories.framed():
        Tracer.objects.filter(pk=scan.planned_scan.tracer_id).update(
            activity_low_mbq=None,
            activity_target_mbq=None,
            mbq_per_kg_low=1.5,
            mbq_per_kg_target=2.0,
            mbq_per_kg_high=2.5,
        )
    scan.planned_scan.tracer.refresh_from_db()
    before = text_of(printed(client, technologist, "scan_worksheet", scan.pk))
    assert "For the weight of the patient, MBq weigh first weigh first weigh first" in before
    assert "None: weigh the patient" in before
    weigh(scan, 72.0, coordinator)
    text = text_of(printed(client, technologist, "scan_worksheet", scan.pk))
    assert "For 72 kg, MBq 108.0 144.0 180.0" in text
    # The highest is the lower of 200 MBq in all and 180 MBq by weight.
    assert "13:00 0 min before 108.0 144.0 180.0" in text


@pytest.mark.parametrize(
    ("kg", "low", "said", "draw"),
    [
        # 2 MBq/kg at 120 kg are 240 MBq, more than the 200 MBq in all.
        (
            120.0,
            100.0,
            "The target, 240.0 MBq, lies outside the limits",
            "0 min before 100.0 – 200.0",
        ),
        # 2 MBq/kg at 45 kg are at most 90 MBq, less than the 100 MBq in all.
        (45.0, 100.0, "lowest 100.0 MBq, highest 90.0 MBq. Nothing is computed", "No table:"),
        (120.0, None, "outside the limits, highest 200.0 MBq: it is", "0 min before – – 200.0"),
    ],
)
def test_limits_that_do_not_agree_are_told_and_none_is_drawn_outside_of_them(
    client, scan, technologist, coordinator, kg, low, said, draw
):
    with factories.framed():
        Tracer.objects.filter(pk=scan.planned_scan.tracer_id).update(
            activity_low_mbq=low,
            activity_target_mbq=150.0,
            activity_high_mbq=200.0,
            mbq_per_kg_target=2.0,
            mbq_per_kg_high=2.0,
        )
    weigh(scan, kg, coordinator)
    for page in ("scan_worksheet", "booking_sheet"):
        text = text_of(printed(client, technologist, page, scan.pk))
        assert said in text
        assert draw in text


def test_the_gate_and_the_batch_stand_on_the_worksheet(
    client, scan, technologist, coordinator, site
):
    text = text_of(printed(client, technologist, "scan_worksheet", scan.pk))
    assert "Delegated to inject ✓ Green" in text
    assert "No released and unexpired batch" in text


def test_the_booking_sheet_holds_no_identity_and_nothing_of_the_patient_but_the_code(
    client, scan, technologist, coordinator
):
    weigh(scan, 71.5, coordinator)
    text = text_of(printed(client, technologist, "booking_sheet", scan.pk))
    assert f"NCT00000068 · patient code {scan.patient.identifier}" in text
    assert "184.9 277.2 369.6" in text
    for said in ("1961", "71.5", "female", "Female", scan.patient.screening_number):
        assert said not in text


def test_a_scan_that_is_over_says_so_on_the_paper(client, scan, technologist):
    injections.record(
        scan,
        assayed_activity_mbq=150.0,
        assayed_at=NOON,
        residual_activity_mbq=1.0,
        residual_at=NOON + timedelta(minutes=5),
        injected_at=NOON,
        weight_kg=70.0,
        despite="arranged",
        by=technologist,
    )
    text = text_of(printed(client, technologist, "booking_sheet", scan.pk))
    assert "Injection recorded already: not for use" in text


def test_each_print_is_in_the_trail_with_the_digest_that_is_on_the_paper(
    client, scan, technologist
):
    first = printed(client, technologist, "booking_sheet", scan.pk)
    second = printed(client, technologist, "booking_sheet", scan.pk)
    rows = list(PrintedSheet.objects.order_by("number"))
    assert [(row.number, row.printed_by) for row in rows] == [(1, technologist), (2, technologist)]
    for pdf, row in zip((first, second), rows, strict=True):
        assert f"Document {row.content_sha256[:16]} · print {row.number}" in text_of(pdf)
    events = AuditEvent.objects.filter(action="sheet.printed").order_by("pk")
    assert [one.actor for one in events] == [technologist.pk] * 2
    assert events[0].after["pdf_sha256"] == rows[0].pdf_sha256
    assert events[0].patient == scan.patient_id


def test_the_same_content_makes_the_same_bytes():
    content = _content()
    assert typesetting.pdf(content, digest="0" * 16) == typesetting.pdf(content, digest="0" * 16)


def test_the_pdf_is_tagged_and_holds_its_fonts():
    pdf = pypdf.PdfReader(io.BytesIO(typesetting.pdf(_content(), digest="0" * 16)))
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert pdf.metadata.title == "A sheet – of something"
    for font in pdf.pages[0]["/Resources"]["/Font"].values():
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert "IBMPlexSans" in descriptor["/FontName"]
        assert "/FontFile2" in descriptor or "/FontFile3" in descriptor


def test_what_the_font_lacks_is_written_by_number_and_named():
    """No box where a letter was: 東 is U+6771."""
    made = typesetting.pdf(_content(subject="東 α β ⁶⁸Ga ≤ ± µ Ő ğ Ж"), digest="0" * 16)
    text = text_of(pypdf.PdfReader(io.BytesIO(made)))
    assert "[U+6771] α β ⁶⁸Ga ≤ ± µ Ő ğ Ж" in text
    assert glyphs.NOTE in text


def test_no_text_is_markup():
    said = "#panic() $x$ *b* _i_ @ref <a> \\n ```"
    made = typesetting.pdf(_content(subject=said), digest="0" * 16)
    assert said in text_of(pypdf.PdfReader(io.BytesIO(made)))


@pytest.mark.parametrize("role", [Role.READER, Role.STATISTICIAN, Role.ADMINISTRATOR, Role.MONITOR])
@pytest.mark.parametrize("page", ["scan_worksheet", "booking_sheet"])
def test_who_has_no_part_in_scan_days_prints_none(client, scan, site, role, page):
    client.force_login(factories.make_user(role, trial=site.trial, site=site))
    assert client.get(reverse(page, args=[scan.pk])).status_code == 403
    assert not PrintedSheet.objects.exists()


def test_a_worksheet_takes_a_fixed_number_of_queries(
    client, scan, technologist, coordinator, site, django_assert_num_queries
):
    printed(client, technologist, "scan_worksheet", scan.pk)
    for number in range(3):
        batches.record(
            site,
            tracer="PTF",
            number=f"B{number}",
            calibration_activity_mbq=900.0,
            calibrated_at=NOON,
            expires_at=NOON + timedelta(hours=4),
            by=coordinator,
        )
    with django_assert_num_queries(WORKSHEET_QUERIES):
        client.get(reverse("scan_worksheet", args=[scan.pk]))


WORKSHEET_QUERIES = 28


def _content(**changes):
    head = {
        "trial": "T",
        "protocol": "1.0",
        "site": "101",
        "as_of": "2026-03-02 13:00:00 UTC",
        "printed_at": "2026-03-02 13:00:00 UTC",
        "printed_by": "User 1",
        "number": 1,
        "software": "test",
    }
    sheet = {
        "title": "A sheet",
        "subject": "of something",
        "blocks": [],
        "notes": [],
        "banner": "",
        "address": "https://trial.example/scans/1/",
        "is_wide": False,
    }
    return head | sheet | changes


@pytest.fixture
def monitor(site):
    return factories.make_user(Role.MONITOR, trial=site.trial, site=site)


def test_the_screening_log_accounts_for_everyone_by_number(client, site, coordinator):
    enrolled = factories.make_enrolled(site, by=coordinator)
    failed = factories.make_patient(site, by=coordinator)
    enrolment.end_screening(failed, category="declined", reason="Too far to travel", by=coordinator)
    pdf = printed(client, coordinator, "screening_log_sheet", site.pk)
    text = text_of(pdf)
    assert "Screened 2 Enrolled 1 Screen failures 1 In screening 0" in text
    assert "Patient declined: Too far to travel" in text
    assert enrolled.identifier in text
    assert "1961" not in text
    assert pdf.pages[0].mediabox.width > pdf.pages[0].mediabox.height


def test_days_of_the_screening_log_are_those_of_the_site(client, site, coordinator):
    """23:30 UTC in March is half past midnight of the next day in Brussels."""
    patient = factories.make_patient(site, by=coordinator)
    enrolment.end_screening(patient, category="declined", reason="Too far", by=coordinator)
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    with factories.framed():
        Patient.objects.filter(pk=patient.pk).update(registered_at=late)
        ScreenFailure.objects.filter(patient=patient).update(ended_at=late)
    (line,) = screening_log.lines(Patient.objects.filter(pk=patient.pk))
    assert (line.screened_on, line.ended_on) == ("2026-03-02", "2026-03-02")
    text = text_of(printed(client, coordinator, "screening_log_sheet", site.pk))
    assert f"{patient.screening_number} 2026-03-02" in text


def test_an_empty_site_prints_a_log_that_says_so(client, site, coordinator):
    text = text_of(printed(client, coordinator, "screening_log_sheet", site.pk))
    assert "Nobody was screened at this site yet." in text


def test_the_pre_visit_list_has_what_is_open(client, site, coordinator, monitor):
    patient = factories.make_enrolled(site, by=coordinator)
    query = queries.open_query(patient, text="Which scale?", by=monitor)
    visit = monitoring.record(
        site,
        kind="interim",
        held_on=NOON.date(),
        attendees="A. Monitor",
        summary="Consents",
        by=monitor,
    )
    monitoring.add_item(
        visit, text="File the consent", owner="S. Nurse", due_on=NOON.date(), by=monitor
    )
    deviations.record(patient, text="Scanned late", by=coordinator)
    text = text_of(printed(client, monitor, "pre_visit_list", site.pk))
    assert "Last monitoring visit on record: 2026-03-02, interim monitoring visit." in text
    assert f"{query.pk} 0 Open {patient} Which scale?" in text
    assert "2026-03-02 S. Nurse Open File the consent" in text
    assert "Drafted 101-001 Scanned late" in text
    assert f"{patient} Eligible verdict not signed" in text
    assert f"{patient} 1.0 (en) 2026-03-01 patient Dr Adams yes" in text.replace(
        "Patient", "patient"
    )


def test_the_pre_visit_list_names_forms_and_times_as_the_site_does(client):
    site = factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial, code="109")
    with factories.framed():
        Site.objects.filter(pk=site.pk).update(time_zone="Europe/Brussels")
    site.refresh_from_db()
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    monitor = factories.make_user(Role.MONITOR, trial=site.trial, site=site)
    factories.delegate(coordinator, site)
    patient = factories.make_enrolled(site, by=coordinator)
    for form, visit, given in (("demographics", "SCREEN", SCREENED), ("medical_history", "", PAST)):
        entry = form_entries.begin(patient, form=form, visit=visit, by=coordinator)
        form_entries.complete(entry, given=given, revision=1, by=coordinator)
    factories.make_consent(patient, by=coordinator, signed_at="2026-03-01T23:30:00+00:00")
    text = text_of(printed(client, monitor, "pre_visit_list", site.pk))
    assert f"{patient} Demographics Screening 4 of 4" in text
    # One of several: the number tells which.
    assert f"{patient} Medical history 1 – never signed" in text
    assert "1.0 (en) 2026-03-02 00:30" in text


def test_the_pre_visit_list_says_which_tracers_do_not_come_out(client, site, coordinator, monitor):
    told = {"tracer": "PTF", "calibration_activity_mbq": 800.0, "by": coordinator}
    times = {"calibrated_at": NOON, "expires_at": NOON + timedelta(hours=4)}
    batch = batches.record(site, number="B7", **told, **times)
    moved = {"batch": batch, "happened_at": NOON, "by": coordinator}
    accountability.record(site, kind="received", doses=3, **moved)
    accountability.record(site, kind="dispensed", doses=1, **moved)
    text = text_of(printed(client, monitor, "pre_visit_list", site.pk))
    assert (
        "PTF B7 2 dispensed 1, injections recorded 0; expired 2026-03-02 17:00 (Europe/Brussels), "
        "neither returned nor destroyed" in text
    )
    assert "PTF all 2 balance never signed" in text
    investigator = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    review = {"password": factories.PASSWORD, "by": investigator}
    seen = selectors.frozen(site, "PTF").sha256
    accountability.review(site, tracer="PTF", seen=seen, **review)
    accountability.record(site, kind="destroyed", doses=2, **moved)
    text = text_of(printed(client, monitor, "pre_visit_list", site.pk))
    assert "PTF B7 0 dispensed 1, injections recorded 0" in text
    assert "1 movement since" in text


def test_lists_take_as_many_queries_for_three_patients_as_for_one(
    client, site, coordinator, monitor, django_assert_num_queries
):
    factories.make_enrolled(site, by=coordinator)
    for page, user, count in (
        ("screening_log_sheet", coordinator, SCREENING_QUERIES),
        ("pre_visit_list", monitor, PRE_VISIT_QUERIES),
    ):
        printed(client, user, page, site.pk)
        with django_assert_num_queries(count):
            client.get(reverse(page, args=[site.pk]))
        for _ in range(2):
            factories.make_enrolled(site, by=coordinator)
        with django_assert_num_queries(count):
            client.get(reverse(page, args=[site.pk]))


SCREENING_QUERIES, PRE_VISIT_QUERIES = 17, 41


def test_the_letter_follows_a_signed_report_alone(client, site, monitor):
    visit = monitoring.record(
        site,
        kind="interim",
        held_on=NOON.date(),
        attendees="A. Monitor, CRA",
        summary="Consents of 101-001.",
        findings="The time is missing.",
        by=monitor,
    )
    monitoring.add_item(
        visit, text="Add the time", owner="S. Nurse", due_on=NOON.date(), by=monitor
    )
    draft = text_of(printed(client, monitor, "visit_report", visit.pk))
    assert "DRAFT: not signed" in draft
    answer = client.get(reverse("follow_up_letter", args=[visit.pk]))
    assert answer.status_code == 409
    assert "sign the report first" in answer.content.decode()
    signature = monitoring.sign(visit, version=2, password=factories.PASSWORD, by=monitor)
    report = text_of(printed(client, monitor, "visit_report", visit.pk))
    assert "DRAFT" not in report
    letter = text_of(printed(client, monitor, "follow_up_letter", visit.pk))
    for text in (report, letter):
        assert (
            f"Signed electronically by {monitor}, {signature.signed_at:%Y-%m-%d %H:%M:%S} UTC"
            in text
        )
        assert "The time is missing." in text
        assert "1 Add the time S. Nurse 2026-03-02 ! Open" in text
    assert f"To {site.principal_investigator}" in letter


def test_a_sheet_is_found_again_by_the_number_on_its_paper(client, site, coordinator, monitor):
    printed(client, coordinator, "screening_log_sheet", site.pk)
    row = PrintedSheet.objects.get()
    client.force_login(monitor)
    page = client.get(reverse("printed_sheets"), {"document": row.content_sha256[:16]})
    assert row.content_sha256[:16] in page.content.decode()
    assert "No such sheet" in client.get("/printed-sheets/?document=ffff").content.decode()
    listed = client.get(reverse("api_printed_sheets")).json()["results"]
    assert [one["pdf_sha256"] for one in listed] == [row.pdf_sha256]
