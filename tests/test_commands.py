"""A command that fails in a test is shown with what it said."""

from __future__ import annotations

import sys

import pytest

from tests.commands import said

BOTH = "import sys; print('to say', flush=True); print('to complain', file=sys.stderr, flush=True)"


def test_what_both_streams_hold_is_said():
    words = [sys.executable, "-c", f"{BOTH}; [print(n) for n in range(3)]"]
    assert said(words, timeout=60) == "to say\nto complain\n0\n1\n2\n"


def test_a_failure_shows_its_code_and_the_last_lines_of_both_streams():
    words = [sys.executable, "-c", f"[print(n) for n in range(100)]; {BOTH}; sys.exit(3)"]
    with pytest.raises(pytest.fail.Exception) as failure:
        said(words, timeout=60)
    head, *lines = failure.value.msg.splitlines()
    assert head.endswith("ended with 3. It said last:")
    assert lines == [*map(str, range(42, 100)), "to say", "to complain"]


def test_a_failure_shows_the_last_lines_of_the_logs_beside_it(tmp_path):
    (tmp_path / "web.log").write_text("".join(f"line {n}\n" for n in range(100)))
    with pytest.raises(pytest.fail.Exception) as failure:
        said(["false"], timeout=60, logs=tmp_path)
    assert failure.value.msg.splitlines() == [
        "false ended with 1. It said last:",
        "web.log says last:",
        *(f"line {n}" for n in range(40, 100)),
    ]


def test_what_hangs_shows_what_it_had_said():
    words = [sys.executable, "-c", f"{BOTH}; import time; time.sleep(60)"]
    with pytest.raises(pytest.fail.Exception) as failure:
        said(words, timeout=2)
    head, *lines = failure.value.msg.splitlines()
    assert head.endswith("is not done after 2 s. It said last:")
    assert lines == ["to say", "to complain"]
