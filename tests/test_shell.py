"""The shell: log-in, home, navigation, and the pages of problems."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def test_login_page_renders(client):
    assert client.get("/login/").status_code == 200
