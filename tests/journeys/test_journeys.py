"""What the people of a trial do, in a real browser on the running site."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from config.demo import cohort as demo_cohort
from config.demo.accounts import PASSWORD
from tests.conftest import ROOT
from tests.journeys.visitor import Visitor
from trials.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow]

WAIT_MS = 120_000
AMENDMENTS = ROOT / "trials" / "definitions" / "amendments"


def test_a_coordinator_enrols_a_patient_and_uploads_the_images(visitor: Visitor, browser, tmp_path):
    visitor.log_in(Role.COORDINATOR)
    visitor.look("home-coordinator")
    register(visitor)
    record_consent(visitor)
    visitor.look("patient-before-evidence")
    visitor.press("End screening")
    visitor.look("screening-end")
    visitor.press("Cancel")
    path = visitor.page.url.removeprefix(visitor.address)
    record_evidence(visitor, path, FACTS)
    visitor.press("Assess eligibility")
    expect(visitor.page.get_by_text("Cannot tell yet", exact=True).first).to_be_visible()
    expect(visitor.page.get_by_text("Pregnancy test: nothing is recorded").first).to_be_visible()
    visitor.look("assessment-not-evaluable")
    record_evidence(visitor, path, {"pregnancy_test": "negative"})
    visitor.press("Assess eligibility")
    expect(visitor.page.get_by_text("Eligible", exact=True).first).to_be_visible()
    visitor.look("assessment")
    sign(Visitor(browser.new_page(), visitor.address), path)
    visitor.open(path)
    enrol(visitor)
    record_visit(visitor, path)
    syringe, started = schedule_and_inject(visitor)
    scan, folder = visitor.page.url, folder_of_images(tmp_path, syringe, started)
    upload(visitor, folder)
    expect(visitor.page.get_by_role("status").get_by_text("Quantified")).to_be_visible(
        timeout=WAIT_MS
    )
    visitor.look("transmittal")
    visitor.page.get_by_role("row").filter(has_text="PT").get_by_role("link").click()
    expect(visitor.page.get_by_role("img", name=re.compile("Maximum intensity"))).to_be_visible()
    visitor.look("series")
    visitor.page.locator("tbody td a").first.click()
    expect(visitor.page.get_by_text("Stored value", exact=True)).to_be_visible()
    visitor.look("derivation")
    visitor.page.goto(scan)
    send_again(visitor, folder)


def record_visit(visitor: Visitor, path: str) -> None:
    """The screening visit, which has no scan, took place today."""
    page = visitor.page
    visitor.open(path)
    visitor.press("Record Screening")
    page.get_by_label("Took place").fill(clock(datetime.now(UTC))[:10])
    visitor.look("visit-record")
    visitor.press("Record the visit")
    expect(page.locator("#schedule").get_by_text("held by Clara Coordinator")).to_be_visible()
    visitor.look("patient-visit-done")


def send_again(visitor: Visitor, folder: Path) -> None:
    """The same folder once more: nothing is sent."""
    visitor.press("Upload images")
    visitor.page.locator("#folder").set_input_files(folder)
    expect(visitor.page.get_by_text("there is nothing to send")).to_be_visible(timeout=WAIT_MS)
    visitor.look("upload-again")


def register(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/patients/")
    visitor.look("patients")
    visitor.press("New patient")
    page.get_by_label("Site").select_option(index=1)
    page.get_by_label("Female").check()
    page.get_by_label("Date of birth").fill("1984-13-23")
    visitor.press("Register")
    expect(page.get_by_text("Give a date as 2026-03-02")).to_be_visible()
    visitor.expect_refusal()
    visitor.look("patient-new-refused")
    page.get_by_label("Date of birth").fill("1984-04-23")
    visitor.press("Register")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Patient 101-")


def record_consent(visitor: Visitor) -> None:
    page = visitor.page
    visitor.press("Record consent")
    page.get_by_label("Version of the consent form").fill("1.0")
    signed = datetime.now(UTC) - timedelta(hours=3)
    page.get_by_label("Signed", exact=False).first.fill(signed.isoformat(timespec="minutes"))
    page.get_by_label("Obtained by").select_option(label="Ines Investigator")
    page.get_by_label("Yes").check()
    visitor.look("consent-new")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_text("In force")).to_be_visible()


FACTS = {
    "creatinine": "0.8",
    "histology.confirmed": True,
    "diagnosis.group": "NHL",
    "lesions.measurable_count": "3",
    "therapy.anticancer": None,
    "pregnant": False,
    "breastfeeding": False,
    "unable_to_tolerate_scan": False,
    "ecog": "1",
}
CHOICES = {"diagnosis.group", "pregnancy_test"}


def record_evidence(visitor: Visitor, path: str, facts: dict) -> None:
    """Dated facts the demo trial asks for, each on its form."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    for variable, value in facts.items():
        visitor.open(f"{path}evidence/new/?variable={variable}")
        answer(visitor, variable, value)
        visitor.page.get_by_label("Observed").fill(yesterday)
        visitor.page.get_by_label("Source").fill("medical record")
        visitor.page.get_by_label("Standard of care").check()
        if variable in {"creatinine", "therapy.anticancer", "pregnancy_test"}:
            visitor.look(f"evidence-{variable.replace('.', '-')}")
        visitor.press("Record")
        visitor.page.wait_for_url(visitor.address + path + "**")


def answer(visitor: Visitor, variable: str, value: str | bool | None) -> None:
    page = visitor.page
    if value is None:
        page.get_by_label(re.compile("none$")).check()
    elif isinstance(value, bool):
        page.get_by_label("Yes" if value else "No", exact=True).check()
    elif variable in CHOICES:
        page.locator("[name=value]").select_option(value)
    else:
        page.locator("[name=value]").fill(value)
    if variable == "creatinine":
        page.get_by_label("Unit").select_option("mg/dL")


def sign(investigator: Visitor, path: str) -> None:
    """The investigator signs the verdict, after a password that is none."""
    page = investigator.page
    investigator.log_in(Role.INVESTIGATOR)
    investigator.open(path)
    investigator.press("Sign the verdict")
    investigator.look("verdict-sign")
    page.get_by_label("Your password").fill("not my password")
    investigator.press("Sign")
    expect(page.get_by_text("nothing was signed")).to_be_visible()
    investigator.expect_refusal()
    page.get_by_label("Your password").fill(PASSWORD)
    investigator.press("Sign")
    expect(page.get_by_text("Stands", exact=True)).to_be_visible()
    investigator.look("assessment-signed")
    page.close()


def enrol(visitor: Visitor) -> None:
    page = visitor.page
    visitor.press("Enrol")
    visitor.look("patient-enrol")
    page.get_by_label(re.compile("Lymphoma and myeloma")).check()
    visitor.press("Enrol")
    expect(page.get_by_text("Enrolled", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(r"101-\d{3}"))
    visitor.look("patient-enrolled")


def schedule_and_inject(visitor: Visitor) -> tuple:
    """The scan of the demo's first plan, injected an hour before its first bed."""
    page = visitor.page
    plan = demo_cohort.PLANS[0]
    syringe, started = demo_cohort.given(plan, now=datetime.now(UTC))
    visitor.press("Schedule a scan")
    page.get_by_label("Scan").select_option(index=1)
    page.get_by_label("Planned for").fill(clock(started))
    page.get_by_role("main").get_by_role("button").first.click()
    page.get_by_role("main").get_by_role("link", name=re.compile("entixafor")).first.click()
    visitor.look("scan-scheduled")
    visitor.press("Reschedule")
    expect(page.get_by_role("main")).to_be_visible()
    visitor.look("scan-reschedule")
    visitor.press("Cancel")
    visitor.press("Record injection")
    page.get_by_label("Assayed activity (MBq)").fill(str(syringe.assayed_activity_mbq))
    page.get_by_label("Assayed at").fill(clock(syringe.assayed_at))
    page.get_by_label("Injected at").fill(clock(syringe.injected_at))
    page.get_by_label("Residual activity (MBq)").fill(str(syringe.residual_activity_mbq))
    page.get_by_label("Residual measured at").fill(clock(syringe.residual_at))
    page.get_by_label("Weight on the day (kg)").fill(str(demo_cohort.CASES[0].person.weight_kg))
    page.get_by_label("Height (cm)").fill(str(demo_cohort.CASES[0].person.height_cm))
    visitor.look("injection-new")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_text(re.compile(r"\d+\.\d MBq")).first).to_be_visible()
    visitor.look("scan-injected")
    return syringe, started


def clock(moment: datetime) -> str:
    """A moment as the wall clock of the demo site shows it, as a browser types it."""
    return moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%dT%H:%M:%S")


def folder_of_images(folder: Path, syringe, started: datetime) -> Path:
    """What the scanner exports, and a file beside it that is no image."""
    # Somebody else than the demo's patient, whose number the hospital gave to nobody else.
    number = f"J-{zlib.crc32(str(folder).encode())}"
    case, plan = replace(demo_cohort.CASES[0], hospital_number=number), demo_cohort.PLANS[0]
    examination = demo_cohort.examination(
        plan, syringe, started, zone="Europe/Berlin", uid_source=str(folder)
    )
    target = folder / "export"
    for name, content in demo_cohort.images(case, plan, examination):
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (target / "readme.txt").write_text("exported by a workstation")
    return target


def upload(visitor: Visitor, folder: Path) -> None:
    page = visitor.page
    visitor.press("Upload images")
    visitor.look("upload")
    page.locator("#folder").set_input_files(folder)
    page.wait_for_url(re.compile(r"/transmittals/\d+/"), timeout=WAIT_MS)


def test_a_monitor_audits_eligibility_with_its_evidence_and_trail(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.MONITOR)
    visitor.look("home-monitor")
    visitor.open("/trials/NCT06125028/")
    expect(page.get_by_text("Sources disagree, to be settled").first).to_be_visible()
    visitor.look("trial")
    page.set_viewport_size({"width": 1440, "height": 1000})
    visitor.open("/eligibility/?trial=DEMO")
    visitor.look("board")
    page.set_viewport_size({"width": 768, "height": 1000})
    visitor.look("board-narrow")
    page.set_viewport_size({"width": 1280, "height": 900})
    visitor.open("/eligibility/?trial=DEMO&word=cannot+tell")
    visitor.look("board-cannot-tell")
    visitor.open("/eligibility/?trial=DEMO&state=enrolled&verification=not+verified")
    page.get_by_role(
        "link", name=re.compile(r"E3 of 10\d-\d+: satisfied.*not verified")
    ).first.click()
    expect(page.get_by_text("CKD-EPI", exact=False).first).to_be_visible()
    visitor.look("board-cell")
    visitor.press("I compared it with the source")
    expect(page.get_by_text("Verified", exact=True).first).to_be_visible()
    visitor.press("Replay")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Replay: the same")
    visitor.look("assessment-replay")
    visitor.open("/screening-log/?trial=DEMO")
    visitor.look("screening-log")
    visitor.open("/sites/")
    expect(page.get_by_role("link", name="103")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^101")).click()
    visitor.look("site")
    visitor.press("To print")
    visitor.look("delegation-log")
    visitor.open("/audit/?trial=DEMO&table=trials_patient")
    expect(page.get_by_text("patient.enrolled").first).to_be_visible()
    visitor.look("audit")
    visitor.open("/deviations/")
    visitor.look("deviations")


def test_a_monitor_asks_and_the_site_answers(visitor: Visitor, browser):
    page = visitor.page
    visitor.log_in(Role.MONITOR)
    visitor.open("/patients/")
    page.get_by_role("link", name="101-002").first.click()
    visitor.press("Ask the site")
    page.get_by_role("main").locator("textarea").fill("Which laboratory measured creatinine?")
    page.get_by_role("main").get_by_role("button").first.click()
    address = page.url
    expect(page.get_by_text("Which laboratory measured creatinine?").first).to_be_visible()
    site = Visitor(browser.new_page(), visitor.address)
    site.log_in(Role.COORDINATOR)
    site.page.goto(address)
    site.page.get_by_role("main").locator("textarea").fill("Central laboratory, ID-MS traceable.")
    site.press("Answer")
    expect(site.page.get_by_text("Central laboratory, ID-MS traceable.").first).to_be_visible()
    site.look("query-answered")
    page.reload()
    page.get_by_role("main").locator("textarea").first.fill("Clear, thank you.")
    visitor.press("Close")
    expect(page.get_by_text("Closed", exact=True).first).to_be_visible()
    visitor.look("query-closed")


def test_a_reader_sees_pictures_and_numbers_and_no_patient(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.READER)
    visitor.look("home-reader")
    visitor.open("/reading/")
    visitor.look("reading-list")
    page.get_by_role("link", name=re.compile(r"^R\d{8}.*Not begun")).first.click()
    expect(page.get_by_role("img", name=re.compile("Maximum intensity"))).to_be_visible()
    assert "101-00" not in page.content()
    visitor.look("reading")
    page.locator("tbody td a").first.click()
    expect(page.get_by_text("Segmentation").first).to_be_visible()
    assert "101-00" not in page.content()


def test_a_reader_decides_by_keys_grows_by_a_click_and_signs(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.READER)
    visitor.open("/reading/")
    page.get_by_role("link", name=re.compile(r"^R\d{8}.*Not begun")).last.click()
    visitor.press("Begin the read")
    expect(page.get_by_text(re.compile("^0 of [0-9]+ decided$"))).to_be_visible()
    _grow(visitor)
    progress = page.get_by_text(re.compile("^[0-9]+ of [0-9]+ decided$"))
    decided, count = map(int, re.findall("[0-9]+", progress.text_content()))
    for number in range(decided + 1, count + 1):
        page.locator("#stage").press("x")
        page.get_by_label("Whose uptake it is").select_option("bladder")
        page.get_by_label("Whose uptake it is").press("Enter")
        expect(page.get_by_text(f"{number} of {count} decided", exact=True)).to_be_visible()
    visitor.look("reading-decided")
    visitor.press("Sign")
    page.get_by_label("Your password").fill(PASSWORD)
    visitor.look("reading-sign")
    visitor.press("Sign")
    expect(page.get_by_text("You signed this read")).to_be_visible()
    visitor.look("reading-signed")


def _grow(visitor: Visitor) -> None:
    """Click into the region that is looked at, and keep what it takes in."""
    page = visitor.page
    picture = page.locator("#slice")
    page.locator("#stage").press("PageUp")
    page.get_by_role("link", name="Axial").click()
    expect(picture).to_have_attribute("alt", re.compile("^Axial slice"))
    # It has its size once it is there. Where it is asked for in the page again and again, words
    # are evaluated there, which the site's policy forbids.
    for _ in range(300):
        if picture.evaluate("image => image.naturalWidth"):
            break
        page.wait_for_timeout(100)
    # Its hottest region is the bladder or the brain, in the middle of the patient.
    box = picture.bounding_box()
    picture.click(position={"x": 0.42 * box["width"], "y": 0.46 * box["height"]})
    expect(page.get_by_role("status").filter(has_text="Grown: SUVmax")).to_be_visible()
    visitor.look("reading-grown")
    visitor.press("Place a reference region here")
    for axis in ("x, to the patient's left", "y, to the back", "z, to the head"):
        there = page.get_by_label(f"{axis} (mm)")
        expect(there).to_have_value(re.compile(r"^-?[0-9]+\.[0-9]$"))
    visitor.press("Keep")
    expect(page.get_by_text("grown from your click").first).to_be_visible()


def test_a_statistician_downloads_a_documented_export(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.STATISTICIAN)
    visitor.look("home-statistician")
    visitor.open("/exports/new/")
    page.get_by_label("Trial").select_option(label="DEMO")
    page.get_by_label("Reason").fill("interim look at the lesions")
    visitor.look("export-new")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_text("Frozen", exact=True).first).to_be_visible(timeout=WAIT_MS)
    visitor.look("export")
    with page.expect_download() as download:
        page.get_by_role("main").get_by_role("link", name=re.compile("Download")).first.click()
    package = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    lesions = csv.DictReader(io.StringIO(package.read("data/lesions.csv").decode()))
    row = next(lesions)
    assert float(row["suvmax"]) > 4
    manifest = json.loads(package.read("manifest.json"))
    assert manifest["trial"] == "DEMO"
    visitor.open(row["suvmax_derivation"])
    expect(page.get_by_text("SUVbw factor").first).to_be_visible()


def test_a_data_manager_tries_an_amendment_before_it_holds(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.DATA_MANAGER)
    visitor.open("/trials/upload/")
    page.get_by_label("Trial file").set_input_files(AMENDMENTS / "demo-2.0.yaml")
    visitor.press("Show what it changes")
    expect(page.get_by_text("Criterion E3, expression: was")).to_be_visible()
    visitor.look("trial-upload-confirm")
    visitor.press("Load it")
    expect(page.get_by_text("Nowhere", exact=True)).to_be_visible()
    visitor.look("trial-demo")
    page.get_by_role("link", name="103", exact=True).click()
    page.get_by_role("link", name=re.compile("^Try it on the patients")).click()
    expect(page.get_by_text("I5", exact=True).first).to_be_visible()
    visitor.look("amendment")
    page.get_by_label("Approval").fill("ethics committee, amendment 1")
    visitor.press("Activate version 2.0")
    expect(page.get_by_text("2.0 (number 2) In force").first).to_be_visible()
    visitor.look("site-amended")
    visitor.open("/trials/upload/")
    page.get_by_label("Or its text").fill("schema: trialtrace-trial/2\nidentifier: [\n")
    visitor.press("Show what it changes")
    expect(page.get_by_text("This is not YAML").first).to_be_visible()
    visitor.expect_refusal()
    visitor.look("trial-upload-refused")
    visitor.open("/trials/NCT06125028/")
    page.get_by_role("link", name=re.compile("^Settle E2")).click()
    visitor.look("conflict-settle")
    page.get_by_label(re.compile("^I4")).check()
    page.get_by_label("What this rests on").fill("Protocol, section 5.1")
    visitor.press("Decide")
    expect(page.get_by_text("Not in force: settled")).to_be_visible()


@pytest.mark.parametrize("role", [Role.DATA_MANAGER, Role.ADMINISTRATOR, Role.AUDITOR])
def test_every_other_role_has_a_home_and_pages_without_fault(visitor: Visitor, role):
    visitor.log_in(role)
    visitor.look(f"home-{role.value}")
    addresses = (
        visitor.page.get_by_role("navigation")
        .get_by_role("link")
        .evaluate_all("links => links.map(link => link.getAttribute('href'))")
    )
    for address in dict.fromkeys(addresses):
        visitor.open(address)
        visitor.look(f"{role.value}-{address.strip('/').replace('/', '-') or 'home'}")


def test_the_way_of_a_patient_fits_a_small_screen_and_the_keyboard(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.COORDINATOR)
    page.set_viewport_size({"width": 360, "height": 740})
    visitor.open("/patients/")
    page.get_by_role("link", name="101-001").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("101-001")
    too_wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not too_wide
    visitor.look("patient-small")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_technologist_gets_the_scan_day_ready(visitor: Visitor):
    """A batch that is not released, a scanner that is not qualified: and then both in order."""
    page, today = visitor.page, datetime.now(UTC)
    visitor.log_in(Role.TECHNOLOGIST)
    visitor.open("/sites/")
    page.get_by_role("main").get_by_role("link", name=re.compile("^101")).first.click()
    visitor.press("Scan days")
    visitor.look("scan-day-empty")
    visitor.press("Register a scanner")
    for label, value in (("Name", "PET 1"), ("Manufacturer", "SIEMENS"), ("Model", "Biograph")):
        page.get_by_label(label, exact=True).fill(value)
    visitor.press("Register")
    page.get_by_role("link", name=re.compile("^Qualify")).click()
    page.get_by_label("Tracer").select_option("PTF")
    page.get_by_label("Valid until").fill(f"{today.year + 1}-01-31")
    page.get_by_label("Reference").fill("acceptance test 12")
    visitor.press("Record")
    page.get_by_role("link", name=re.compile("^Cross-calibrate")).click()
    page.get_by_label("Scanner over dose calibrator").fill("1.012")
    page.get_by_label("Valid until").fill(f"{today.year + 1}-01-31")
    page.get_by_label("Reference").fill("phantom of March")
    visitor.look("cross-calibration-new")
    visitor.press("Record")
    visitor.press("Record a batch")
    page.get_by_label("Tracer").select_option("PTF")
    page.get_by_label("Batch number").fill(f"B-{today:%H%M%S}")
    page.get_by_label("Activity at calibration (MBq)").fill("900")
    page.get_by_label("Calibrated at").fill(clock(today - timedelta(hours=1)))
    page.get_by_label("Expires at").fill(clock(today + timedelta(hours=3)))
    visitor.look("batch-new")
    visitor.press("Record")
    expect(page.get_by_text("Not released", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile("^Release")).click()
    page.get_by_label("Released at").fill(clock(today))
    page.get_by_label("Released by").fill("Q. Person")
    visitor.press("Record the release")
    expect(page.get_by_text("Not released", exact=True)).to_have_count(0)
    expect(page.get_by_text("Good", exact=True).first).to_be_visible()
    visitor.press("Compare a clock")
    page.get_by_label("Instrument").select_option("dose_calibrator")
    page.get_by_label("Ahead of the reference clock (s)").fill("42")
    page.get_by_label("Compared at").fill(clock(today))
    visitor.press("Record")
    expect(page.get_by_text("PET 1").first).to_be_visible()
    visitor.look("scan-day")
    visitor.open("/worklist/")
    visitor.look("worklist")
    visitor.open("/calendar/")
    visitor.look("calendar")
    visitor.press("Calendar feed")
    visitor.press("Make a feed")
    expect(page.get_by_text(re.compile(r"/calendar/.+\.ics"))).to_be_visible()
    visitor.look("calendar-feed")
