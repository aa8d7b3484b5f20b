"""Case report forms, from the coordinator's page to the statistician's file, in a real browser."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.visitor import Visitor
from trials import case_report_forms
from trials.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow]

WAIT_MS = 120_000
# Of the demo's first site, whose clock the coordinator writes down.
BERLIN = ZoneInfo("Europe/Berlin")
BEFORE = {"pulse": "61", "systolic": "128", "diastolic": "82", "respiration": "14"}
DURING = {"pulse": "66", "systolic": "131", "diastolic": "84", "respiration": "15"}
TYPE_ONE_MORE = """() => {
  const input = document.querySelector("[name=after_pulse]");
  input.value = "65";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  return document.getElementById("saved").textContent;
}"""
# Of the demo's forms, those that a man is asked beside the two above.
MANY = 12
# Within the limits of the item; where none is named 60.5 is.
NUMBERS = {"height_cm": "171.5", "fasted_hours": "6.5", "sensitivity": "5.5"}
YESTERDAY = f"{datetime.now(BERLIN) - timedelta(days=1):%Y-%m-%d}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
EVENT = {
    "term": "Rash",
    "grade": "3",
    "is_serious": "Y",
    "serious_because__aeshosp": "Y",
    "serious_because__aesdth": "N",
    "related_tracer": "POSSIBLY RELATED",
    "related_procedure": "NOT RELATED",
    "action": "NOT APPLICABLE",
    "is_treated": "N",
    "outcome": "RECOVERING/RESOLVING",
    "reported_at": "",
}
AFTER = {"pulse": "64", "systolic": "212", "diastolic": "83", "respiration": "14"}


def test_what_a_coordinator_enters_is_asked_about_corrected_and_exported(visitor: Visitor, browser):
    page = visitor.page
    visitor.log_in(Role.COORDINATOR)
    forms, patient = forms_of_nobody_yet(visitor)
    fill_vital_signs(visitor)
    vital_signs = page.url.removeprefix(visitor.address)
    expect(page.get_by_text("212 mmHg")).to_be_visible()
    visitor.look("form-read")
    monitor = Visitor(browser.new_page(), visitor.address)
    ask(monitor, vital_signs)
    visitor.open(vital_signs)
    visitor.press("Correct")
    page.locator("[name=after_systolic]").fill("122")
    page.get_by_label("Reason of the correction").fill("digits exchanged, see the chart")
    visitor.look("form-correct")
    visitor.press("Correct")
    row = page.locator("#item-after_systolic")
    expect(row.locator("strong")).to_have_text("122 mmHg")
    row.get_by_text("2 versions").click()
    expect(row.get_by_text("digits exchanged")).to_be_visible()
    expect(row.get_by_text("Closed")).to_be_visible()
    visitor.look("form-history")
    visitor.open(forms)
    report_event(visitor)
    visitor.open("/")
    expect(page.get_by_text("Reports due")).to_be_visible()
    filled = fill_the_rest(visitor, forms)
    assert len(filled) >= MANY
    found = exported(Visitor(browser.new_page(), visitor.address), patient)
    signs = found("form_vital_signs")
    entered = {f"before_{name}": value for name, value in (BEFORE | {"pulse": "62"}).items()}
    entered |= {f"during_{name}": value for name, value in (DURING | {"pulse": ""}).items()}
    corrected = AFTER | {"pulse": "65", "systolic": "122"}
    entered |= {f"after_{name}": value for name, value in corrected.items()}
    entered |= {"during_pulse_missing": "ND", "during_pulse_reason": "no cuff at hand"}
    assert_holds(signs, entered)
    assert_holds(found("form_adverse_events"), EVENT)
    for form, values in filled.items():
        assert_holds(found(form), values)


def forms_of_nobody_yet(visitor: Visitor) -> tuple[str, str]:
    """The page of the forms of an enrolled patient without any, and the patient's number."""
    page = visitor.page
    visitor.open("/patients/?state=enrolled")
    # The demo has filled in forms of the first two.
    link = page.get_by_role("main").get_by_role("rowheader").get_by_role("link").nth(2)
    patient = link.inner_text().strip()
    link.click()
    visitor.press("Forms")
    expect(page.get_by_role("heading", name=f"Forms of patient {patient}")).to_be_visible()
    visitor.look("patient-forms")
    return page.url.removeprefix(visitor.address), patient


def fill_vital_signs(visitor: Visitor) -> None:
    """Drafted, left and found again; one value was not measured, one is mistyped."""
    page = visitor.page
    page.get_by_role("button", name="Begin Vital signs around the injection, First PET").click()
    for when, values in (("before", BEFORE), ("during", DURING), ("after", AFTER)):
        page.locator(f"[name={when}_at]").fill(clock(-2))
        for name, value in values.items():
            page.locator(f"[name={when}_{name}]").fill(value)
    expect(page.get_by_role("status").get_by_text("Draft saved")).to_be_visible()
    # Whoever leaves by what the page says loses nothing: it takes it back with the first letter.
    assert page.evaluate(TYPE_ONE_MORE) == "Not saved yet"
    expect(page.get_by_role("status").get_by_text("Draft saved")).to_be_visible()
    page.reload()
    expect(page.locator("[name=after_systolic]")).to_have_value("212")
    log_in_again_elsewhere(visitor)
    pulse = page.locator("#item-during_pulse")
    page.locator("[name=during_pulse]").fill("")
    pulse.get_by_text("No value").click()
    pulse.get_by_label("Because").select_option(label="Not done")
    visitor.press("Complete")
    expect(page.get_by_role("alert").get_by_text("was not done: say why")).to_be_visible()
    visitor.expect_refusal()
    visitor.look("form-refused")
    pulse.get_by_label("Reason").fill("no cuff at hand")
    visitor.press("Complete")


def log_in_again_elsewhere(visitor: Visitor) -> None:
    """The session ends while a form is typed: after a log-in in another tab the page goes on."""
    page = visitor.page
    page.context.clear_cookies(name="sessionid")
    page.locator("[name=before_pulse]").fill("62")
    said = page.locator("#saved")
    expect(said).to_contain_text("log in again in another tab")
    tab = page.context.new_page()
    Visitor(tab, visitor.address).log_in(Role.COORDINATOR)
    tab.close()
    expect(said).to_contain_text("Draft saved")


def ask(monitor: Visitor, form: str) -> None:
    """The monitor asks about a value, and finds that a rule did so before."""
    page = monitor.page
    monitor.log_in(Role.MONITOR)
    monitor.open(form)
    row = page.locator("#item-after_systolic")
    expect(row.get_by_role("link", name=re.compile("^Query"))).to_be_visible()
    row.get_by_role("link", name="Ask about Systolic blood pressure after").click()
    page.get_by_label("Question").fill("212 after 131: is this what the chart says?")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_text("is this what the chart says?").first).to_be_visible()
    monitor.open(form)
    expect(row.get_by_role("link", name=re.compile("^Query"))).to_have_count(2)
    monitor.press("Verify")
    monitor.look("form-verify")
    monitor.press("Verify")
    expect(page.locator("#item-before_pulse").get_by_text("Verified")).to_be_visible()


def report_event(visitor: Visitor) -> None:
    """A serious event: what is asked of it alone appears when it is said to be serious."""
    page = visitor.page
    page.get_by_role("button", name="Begin Adverse event").click()
    known = page.locator("[name=known_at]")
    expect(known).to_be_hidden()
    page.locator("[name=term]").fill("Rash")
    page.locator("[name=started_at]").fill(f"{datetime.now(UTC):%Y-%m}")
    page.locator("[name=grade]").select_option(value="3")
    page.locator("#id_is_serious").get_by_label("Yes").check()
    page.get_by_label("Hospital stay begun or prolonged").check()
    known.fill(clock(-2))
    page.locator("[name=related_tracer]").select_option(value="POSSIBLY RELATED")
    page.locator("[name=related_procedure]").select_option(value="NOT RELATED")
    page.locator("[name=action]").select_option(value="NOT APPLICABLE")
    page.locator("#id_is_treated").get_by_label("No", exact=True).check()
    page.locator("[name=outcome]").select_option(value="RECOVERING/RESOLVING")
    visitor.look("form-event")
    visitor.press("Complete")
    expect(page.get_by_role("status").get_by_text("A report is due")).to_be_visible()
    visitor.look("form-event-due")


def fill_the_rest(visitor: Visitor, forms: str) -> dict[str, dict[str, str]]:
    """Every form that is not begun yet: what was entered, by column, by the file it belongs in."""
    page, entered = visitor.page, {}
    buttons = page.get_by_role("main").get_by_role("button", name=re.compile("^Begin "))
    visitor.open(forms)
    while buttons.count():
        form = buttons.first.evaluate("one => one.form.action").rstrip("/").split("/")[-1]
        buttons.first.click()
        page.locator("#form-entry").wait_for()
        values = {}
        for item in page.locator(".form-item").all():
            # What an earlier answer unasked is hidden by now.
            if item.is_visible():
                values |= answer(item)
        visitor.press("Complete")
        expect(page.get_by_role("heading", name="What was entered")).to_be_visible()
        # Of a form that several visits ask the file has the first one first.
        entered.setdefault(f"form_{form}", values)
        visitor.open(forms)
    # Entered by name above, before any of these.
    return {form: values for form, values in entered.items() if form != "form_vital_signs"}


def answer(item: Locator) -> dict[str, str]:
    """Answer an item by its type, and say what the export has for it."""
    name, kind = (item.get_attribute(f"data-{one}") or "" for one in ("item", "type"))
    field = item.locator(f"[name={name}]")
    if kind == "yes_no":
        item.get_by_label("Yes", exact=True).check()
        return {name: "Y"}
    if kind == "multi_choice":
        field.first.check()
        code = field.first.get_attribute("value") or ""
        return {f"{name}__{case_report_forms.column_word(code)}": "Y"}
    if kind == "choice":
        code = field.locator("option").nth(1).get_attribute("value") or ""
        field.select_option(value=code)
        return {name: code}
    typed = {
        "text": f"Words of {name}",
        "date": YESTERDAY,
        "partial_date": YESTERDAY,
        "datetime": clock(-2),
        "integer": "60",
        "decimal": NUMBERS.get(name, "60.5"),
    }[kind]
    field.fill(typed)
    return {name: typed}


def assert_holds(row: dict[str, str], entered: dict[str, str]) -> None:
    """Each value is in the row of the export as it was entered; a time at whatever offset."""
    for column, value in entered.items():
        found = row[column]
        if TIME.fullmatch(value):
            entered_at = datetime.fromisoformat(value).replace(tzinfo=BERLIN)
            assert datetime.fromisoformat(found) == entered_at, column
        else:
            assert found == value, column


def exported(statistician: Visitor, patient: str):
    """The first row of a patient in a file of an export, by the file's name."""
    page = statistician.page
    statistician.log_in(Role.STATISTICIAN)
    statistician.open("/exports/new/")
    page.get_by_label("Trial").select_option(label="DEMO")
    page.get_by_label("Reason").fill("what the forms say")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_text("Frozen", exact=True).first).to_be_visible(timeout=WAIT_MS)
    with page.expect_download() as download:
        page.get_by_role("main").get_by_role("link", name=re.compile("Download")).first.click()
    package = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))

    def first_of(name: str) -> dict[str, str]:
        rows = csv.DictReader(io.StringIO(package.read(f"data/{name}.csv").decode()))
        return next(row for row in rows if row["patient"] == patient)

    return first_of


def clock(hours: int) -> str:
    """A time some hours from now on the wall clock of the site, as an input takes it."""
    return f"{datetime.now(BERLIN) + timedelta(hours=hours):%Y-%m-%dT%H:%M}"
