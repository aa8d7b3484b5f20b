"""A person at a real browser, who sees what a user sees and hears what the browser says."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page

from config.demo.accounts import PASSWORD
from trials.roles import Role

AXE = (Path(__file__).parent / "axe-core" / "axe.min.js").read_text()
# Folder for pictures of what the journeys saw; nothing is kept without it.
SCREENSHOTS = os.environ.get("TRIALTRACE_SCREENSHOTS", "")
WIDTH, HEIGHT = 1280, 900
# What axe-core calls the success criteria of WCAG 2.2, levels A and AA, and good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# All rules look at all of the page. What passed is not described, and does not leave the browser:
# on a long page that took several times as long as the rules.
VIOLATIONS = """
async (tags) => (await axe.run({runOnly: tags, resultTypes: ["violations"]})).violations
"""


class Visitor:
    """A person at a browser: opens pages, and each page is held to what all pages promise."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(20_000)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def log_in(self, role: Role) -> None:
        self.open("/login/")
        self.page.get_by_label("User name").fill(role.value)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.address}/")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def press(self, name: str) -> None:
        """Press the one button, or follow the one link, that says so in the content."""
        content = self.page.get_by_role("main")
        exact = re.compile(f"^{re.escape(name)}$")
        button = content.get_by_role("button", name=exact)
        (button if button.count() else content.get_by_role("link", name=exact)).first.click()

    def expect_refusal(self) -> None:
        """The server refused a form just now; the browser says so, and that is no fault."""
        said = [text for text in self.complaints if "422" in text]
        assert len(said) == 1
        self.complaints = [text for text in self.complaints if text not in said]

    def look(self, name: str) -> None:
        """The page breaks no accessibility rule and the browser had nothing to complain of."""
        assert self.complaints == []
        found = self._violations()
        assert found == [], "\n".join(found)
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)

    def _violations(self) -> list[str]:
        self.page.evaluate(AXE)
        found = self.page.evaluate(VIOLATIONS, RULES)
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found
        ]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)
