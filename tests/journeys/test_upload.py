"""A coordinator uploads thousands of files and a large zip; everything goes wrong on the way."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from config.demo import cohort as demo_cohort
from tests.journeys.visitor import Visitor
from trials.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.slow]

WAIT_MS = 180_000
FILES = 3000


class Network:
    """The way to the server, which lets `pieces` of a kind through and then nothing."""

    def __init__(self, page: Page, address: str) -> None:
        self.pieces = 10**6
        self.arrived: list[int] = []
        page.route(re.compile(address), self._pass)

    def _pass(self, route: Route) -> None:
        if self.pieces <= 0:
            route.abort("internetdisconnected")
            return
        self.pieces -= 1
        sent = route.request.post_data_buffer or b""
        self.arrived.append(sent.count(b'name="files"') or len(sent))
        route.continue_()


@pytest.fixture
def coordinator(visitor: Visitor) -> Visitor:
    """At the page of a scan of the demo trial."""
    visitor.page.on("dialog", lambda dialog: dialog.accept())
    visitor.log_in(Role.COORDINATOR)
    visitor.open("/patients/")
    visitor.page.get_by_role("link", name="101-001").first.click()
    visitor.page.get_by_role("main").get_by_role("link", name=re.compile("entixafor")).first.click()
    expect(ready(visitor.page)).to_be_attached()
    return visitor


def ready(page: Page):
    return page.locator("#upload[data-ready=yes]")


def drop(page: Page, path: Path) -> None:
    """As a person drops it from another program: the browser itself reads the folder."""
    box = page.locator("#dropzone").bounding_box()
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})


def forget_lost_connection(visitor: Visitor) -> None:
    """What the browser said of requests that were stopped on purpose is no fault."""
    visitor.complaints = [one for one in visitor.complaints if "ERR_INTERNET" not in one]


def test_three_thousand_files_survive_a_lost_network_and_a_reload(
    coordinator: Visitor, tmp_path: Path
):
    page, folder = coordinator.page, tmp_path / "export"
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(FILES):
        (folder / f"IM{number:04}").write_bytes(noise.bytes(900))
    network = Network(page, r"/transmittals/\d+/files/")
    network.pieces = 7
    page.locator("#dropzone").scroll_into_view_if_needed()
    drop(page, folder)
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#upload-count")).to_contain_text(re.compile(r"^700 of 3,000 files"))
    assert page.locator(".file-row").count() < 20
    forget_lost_connection(coordinator)
    coordinator.look("upload-connection-lost")
    page.reload()
    expect(page.locator("#upload-unfinished")).to_contain_text("700 files of it arrived")
    forget_lost_connection(coordinator)
    coordinator.look("upload-after-reload")
    network.pieces = 5
    page.locator("#folder").set_input_files(folder)
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#upload-count")).to_contain_text("700 had arrived before")
    network.pieces = 10**6
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_url(re.compile(r"/transmittals/\d+/"), timeout=WAIT_MS)
    forget_lost_connection(coordinator)
    # Each was sent once, over all of this.
    assert sum(network.arrived) == FILES
    expect(page.get_by_text("Rejected", exact=True).first).to_be_visible(timeout=WAIT_MS)
    coordinator.look("upload-rejected")


def test_a_browser_adds_of_how_many_files_the_unfinished_upload_was(
    coordinator: Visitor, tmp_path: Path
):
    page, folder = coordinator.page, tmp_path / "export"
    folder.mkdir()
    for number in range(120):
        (folder / f"IM{number:04}").write_bytes(b"image %d" % number)
    network = Network(page, r"/transmittals/\d+/files/")
    network.pieces = 1
    page.locator("#folder").set_input_files(folder)
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=WAIT_MS)
    page.reload()
    note = page.locator("#upload-unfinished")
    expect(note).to_contain_text("It was of 120 files in this browser")
    network.pieces = 10**6
    page.locator("#folder").set_input_files(folder)
    page.wait_for_url(re.compile(r"/transmittals/\d+/"), timeout=WAIT_MS)
    forget_lost_connection(coordinator)


def test_what_cannot_be_sent_stands_first_and_the_rest_may_go_without_it(
    coordinator: Visitor, tmp_path: Path
):
    page, folder = coordinator.page, tmp_path / "export"
    folder.mkdir()
    for number in range(30):
        (folder / f"IM{number:04}").write_bytes(b"one of %d" % number)
    (folder / "ZZ-large").write_bytes(bytes(65 * 2**20))
    page.locator("#folder").set_input_files(folder)
    expect(page.get_by_text("1 file could not be sent")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".file-row").first).to_contain_text("export one file per slice")
    coordinator.look("upload-problem")
    coordinator.page.get_by_role("button", name="Finish without").click()
    page.wait_for_url(re.compile(r"/transmittals/\d+/"), timeout=WAIT_MS)


def test_a_large_zip_goes_in_pieces_and_goes_on_after_a_reload(
    coordinator: Visitor, tmp_path: Path
):
    page = coordinator.page
    network = Network(page, r"/partial-uploads/\d+/\?offset=")
    path = large_zip(tmp_path)
    network.pieces = 4
    page.locator("#dropzone").scroll_into_view_if_needed()
    drop(page, path)
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=WAIT_MS)
    forget_lost_connection(coordinator)
    coordinator.look("upload-zip-connection-lost")
    page.reload()
    expect(ready(page)).to_be_attached()
    network.pieces = 10**6
    page.locator("#archive").set_input_files(path)
    page.wait_for_url(re.compile(r"/transmittals/\d+/"), timeout=WAIT_MS)
    forget_lost_connection(coordinator)
    assert sum(network.arrived) == path.stat().st_size
    told = page.get_by_text(re.compile(r"files were taken out"))
    expect(told).to_be_visible(timeout=WAIT_MS)
    expect(told).to_contain_text("Left out: DICOMDIR (entry 1); text file (entry 2).")
    coordinator.look("upload-zip-unpacked")


def large_zip(folder: Path) -> Path:
    """The images of an examination, junk, and files that are no image but fill 70 MB."""
    plan, now = demo_cohort.PLANS[0], datetime.now(UTC)
    syringe, started = demo_cohort.given(plan, now=now)
    examination = demo_cohort.examination(
        plan, syringe, started, zone="Europe/Berlin", uid_source=str(folder)
    )
    case = replace(demo_cohort.CASES[0], hospital_number=f"J-{now:%H%M%S}")
    noise = np.random.default_rng(2)
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("DICOMDIR", b"x")
        packed.writestr("readme.txt", b"exported by a workstation")
        for name, content in demo_cohort.images(case, plan, examination):
            packed.writestr(str(name), content)
        for number in range(2):
            packed.writestr(f"raw/{number}", noise.bytes(35 * 2**20))
    return path
