"""A form filled and signed by keys alone, a file of REDCap refused, and a blinded reader."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from config.demo.accounts import PASSWORD
from tests.journeys.test_forms import forms_of_nobody_yet
from tests.journeys.visitor import Visitor
from trials.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow]

# More than any page of these has places to stop at.
MOST_STOPS = 200


def tab_to(wanted: Locator) -> None:
    """Go on by the Tab key until the element, or one in it, has the focus."""
    keyboard = wanted.page.keyboard
    for _ in range(MOST_STOPS):
        keyboard.press("Tab")
        if wanted.evaluate("(element) => element.contains(document.activeElement)"):
            return
    raise AssertionError(f"{wanted} is not reached by the Tab key")


def type_into(visitor: Visitor, name: str, text: str) -> None:
    tab_to(visitor.page.locator(f"[name={name}]"))
    visitor.page.keyboard.type(text)


def choose_yes(visitor: Visitor, name: str) -> None:
    group = visitor.page.locator(f"#id_{name}")
    yes = group.get_by_label("Yes", exact=True)
    # Of a group, Tab stops at what is chosen, else at the first.
    tab_to(group)
    for _ in range(group.get_by_role("radio").count()):
        visitor.page.keyboard.press("ArrowDown")
        if yes.is_checked():
            return
    raise AssertionError(f"{name} is not answered by the arrow keys")


def test_a_form_is_filled_and_signed_by_keys_alone(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.INVESTIGATOR)
    forms_of_nobody_yet(visitor)
    tab_to(page.get_by_role("button", name=re.compile("^Begin Medical history")).first)
    page.keyboard.press("Enter")
    expect(page.locator("[name=term]")).to_be_visible()
    type_into(visitor, "term", "Asthma")
    type_into(visitor, "started_on", "2019-05")
    choose_yes(visitor, "is_ongoing")
    choose_yes(visitor, "is_treated")
    tab_to(page.get_by_role("main").get_by_role("button", name="Complete", exact=True))
    page.keyboard.press("Enter")
    sign = page.get_by_role("main").get_by_role("link", name="Sign", exact=True)
    expect(sign).to_be_visible()
    tab_to(sign)
    page.keyboard.press("Enter")
    password = page.get_by_label("Your password")
    expect(password).to_be_visible()
    tab_to(password)
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stands", exact=True)).to_be_visible()
    expect(page.locator("#item-term")).to_contain_text("Asthma")
    visitor.look("form-signed-by-keys")


REDCAP = """record_id,term,started_on,is_ongoing,is_treated,medical_history_complete
DEMO-NOBODY,Asthma,2019-05,1,1,2
{patient},Gout,last spring,1,0,2
"""


def test_a_file_of_redcap_is_refused_with_what_is_wrong_in_each_row(visitor: Visitor):
    page = visitor.page
    visitor.log_in(Role.DATA_MANAGER)
    visitor.open("/patients/?state=enrolled")
    link = page.get_by_role("main").get_by_role("rowheader").get_by_role("link").first
    patient = link.inner_text().strip()
    visitor.open("/form-imports/new/")
    page.get_by_label("Form", exact=True).select_option(label="Medical history")
    page.get_by_label("Made by").select_option(value="redcap")
    page.get_by_label("Source", exact=True).fill("REDCap of the clinic")
    file = {"name": "records.csv", "mimeType": "text/csv"}
    file["buffer"] = REDCAP.format(patient=patient).encode()
    page.get_by_label("File", exact=True).set_input_files(file)
    visitor.look("redcap-new")
    visitor.press("Show what it does")
    look_until_read(visitor)
    expect(page.get_by_text("2 rows can’t be entered")).to_be_visible()
    table = page.get_by_role("table", name=re.compile("^Rows of the file"))
    rows = table.get_by_role("row")
    expect(rows.filter(has_text="DEMO-NOBODY")).to_contain_text("Refused")
    expect(rows.filter(has_text=patient)).to_contain_text("started_on")
    expect(page.get_by_role("button", name=re.compile("^Enter"))).to_have_count(0)
    visitor.look("redcap-refused")


def look_until_read(visitor: Visitor) -> None:
    """A worker reads the file; the page says so, and is looked at again."""
    again = visitor.page.get_by_role("link", name="Look again")
    for _ in range(60):
        if not again.count():
            return
        visitor.page.wait_for_timeout(500)
        again.click()
    raise AssertionError("the file is not read")


def test_a_blinded_reader_is_shown_nothing_of_the_truth_panel(visitor: Visitor, browser):
    panel = Visitor(browser.new_page(), visitor.address)
    panel.log_in(Role.PANEL)
    panel.open("/panel/")
    link = panel.page.get_by_role("main").get_by_role("rowheader").get_by_role("link").first
    patient = link.inner_text().strip()
    link.click()
    expect(panel.page.get_by_role("heading", name=re.compile(re.escape(patient)))).to_be_visible()
    decided = panel.page.url.removeprefix(visitor.address)
    panel.look("panel-patient")

    page = visitor.page
    visitor.log_in(Role.READER)
    expect(page.get_by_role("link", name="Truth panel")).to_have_count(0)
    for path in ("/panel/", decided):
        answer = page.goto(visitor.address + path)
        assert answer is not None
        assert answer.status in {403, 404}
        assert patient not in page.content()
    visitor.complaints = [one for one in visitor.complaints if not re.search("40[34]", one)]
    visitor.look("panel-kept-from-a-reader")
