"""The description of the API, read in a browser under the content security policy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from django.db import connection

from tests import factories

SCHEMA = Path(__file__).resolve().parents[1] / "config" / "openapi.yaml"
PASSWORD = "gallium-68-decays-in-68-min"


@pytest.fixture
def username(committed_db) -> str:
    """An account with a password. Made in a thread: the browser's event loop runs in this one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_account).result()


def _account() -> str:
    user = factories.make_user()
    user.set_password(PASSWORD)
    with factories.framed():
        user.save(update_fields=["password"])
    connection.close()
    return user.username


OPERATIONS = """() => [...document.querySelectorAll(".opblock-summary")].map((one) =>
  one.querySelector(".opblock-summary-method").textContent + " " +
  one.querySelector(".opblock-summary-path").textContent)"""
FURTHER = """() => { const before = window.scrollY; window.scrollBy(0, window.innerHeight / 2);
  return window.scrollY > before; }"""


def drawn(page):
    """Every operation on the page: of a long description only what is in sight is drawn."""
    found = set(page.evaluate(OPERATIONS))
    while page.evaluate(FURTHER):
        page.wait_for_timeout(100)
        found |= set(page.evaluate(OPERATIONS))
    return found


@pytest.mark.browser
def test_the_description_is_readable_under_the_content_security_policy(live_stack, username, page):
    """Swagger UI draws every operation, and nothing that it loads or runs is refused."""
    refused = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    page.goto(f"{live_stack}/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{live_stack}/")
    page.goto(f"{live_stack}/api/v1/docs/")
    paths = yaml.safe_load(SCHEMA.read_text())["paths"]
    operations = sum(len(item) for item in paths.values())
    page.wait_for_selector(".opblock")
    assert len(drawn(page)) == operations
    assert refused == []
