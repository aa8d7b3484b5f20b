"""A monitor's visit from the list before it to the letter after it, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from config.demo.accounts import PASSWORD
from tests.journeys.visitor import Visitor
from trials.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow]


def test_a_monitor_reports_a_visit_and_the_site_follows_it_up(visitor: Visitor, browser):
    page = visitor.page
    visitor.log_in(Role.MONITOR)
    visitor.open("/monitoring/")
    visitor.look("monitoring")
    page.get_by_role("link", name=re.compile("^Report a visit")).first.click()
    visitor.look("monitoring-visit-new")
    page.get_by_label("Who was there").fill("M. Monitor, CRA\nC. Coordinator, study nurse")
    page.get_by_label("What was looked at").fill("Consents and tracer accountability.")
    page.get_by_label("Findings").fill("The time of one consent is missing.")
    visitor.press("Save the report")
    visitor.press("Raise an item")
    page.get_by_label("What is to be done").fill("Add the time to the consent")
    page.get_by_label("Owner").fill("C. Coordinator")
    page.get_by_label("Due on").fill("2999-01-31")
    visitor.press("Raise")
    visitor.press("Sign")
    page.get_by_label("Your password").fill(PASSWORD)
    visitor.look("monitoring-visit-sign")
    visitor.press("Sign")
    visitor.look("monitoring-visit")
    visit = page.url
    for name in ("Report (PDF)", "Follow-up letter (PDF)"):
        address = page.get_by_role("link", name=name).get_attribute("href")
        answer = page.request.get(f"{visitor.address}{address}")
        assert answer.body().startswith(b"%PDF-")
    coordinator = Visitor(browser.new_page(), visitor.address)
    coordinator.log_in(Role.COORDINATOR)
    coordinator.page.goto(visit)
    coordinator.page.get_by_role("link", name=re.compile("^Say that it is done")).click()
    coordinator.page.get_by_label("What was done or seen").fill("Added from the source")
    coordinator.press("Done")
    coordinator.look("monitoring-item-done")
    visitor.open("/printed-sheets/")
    expect(page.get_by_role("row", name=re.compile("Follow-up letter")).first).to_be_visible()
    visitor.look("printed-sheets")
    visitor.open("/monitoring/")
    open_items = page.get_by_role("region", name="Action items not closed")
    expect(open_items.get_by_text("Add the time to the consent")).to_be_visible()
    page.goto(visit)
    page.get_by_role("link", name=re.compile("^Close item")).click()
    page.get_by_label("What was done or seen").fill("Seen in the source")
    visitor.press("Close")
    visitor.open("/monitoring/")
    expect(open_items).to_be_visible()
    expect(open_items.get_by_text("Add the time to the consent")).to_have_count(0)
    visitor.look("monitoring")
