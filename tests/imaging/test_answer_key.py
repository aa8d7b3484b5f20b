"""The score on the answer key: correct actions over required actions, and it has to be all."""

from __future__ import annotations

import io
from collections import Counter

import pydicom
import pytest

from imaging import acceptance
from imaging.deidentification import DeidentificationPolicy
from imaging.parser_child import encoded, inspect, rewritten
from tests.imaging import answer_key
from tests.imaging.answer_key import DAYS, SUBJECT, Answer, Item, Planted, found

POLICY = DeidentificationPolicy(b"k" * 32, DAYS, "DEMO", "PL-01", SUBJECT)


def is_correct(item: Item, planted: Planted, data: bytes) -> bool:
    """Whether what was required of one planted value was done."""
    released = pydicom.dcmread(io.BytesIO(data))
    now = found(released, item.path)
    if item.answer is Answer.GONE:
        return not now and (len(item.text) < 8 or item.text.encode() not in data)
    if item.answer is Answer.UID:
        return bool(now) and now.startswith("2.25.") and pydicom.uid.UID(now).is_valid
    if item.answer is Answer.PIXELS:
        return bool((released.pixel_array == planted.dataset.pixel_array).all())
    return now == item.becomes


def wrong(planted: Planted) -> list[str]:
    """The items of a file of which something else became than was required."""
    if planted.items[0].answer is Answer.HELD:
        held = inspect(encoded(planted.dataset)).verdict == acceptance.QUARANTINED
        return [] if held else [f"{planted.name}: not held"]
    data = rewritten(planted.dataset, POLICY)[2]
    return [
        f"{planted.name}, {item.path}: {item.answer}"
        for item in planted.items
        if not is_correct(item, planted, data)
    ]


@pytest.mark.requirement("R104")
def test_every_required_action_was_done(capsys):
    files = list(answer_key.files())
    required = sum(len(one.items) for one in files)
    mistakes = [line for one in files for line in wrong(one)]
    correct = required - len(mistakes)
    by_answer = Counter(item.answer.value for one in files for item in one.items)
    score = f"answer key: {correct} of {required} actions, {100 * correct / required:.2f} %"
    counts = ", ".join(f"{count} {answer}" for answer, count in by_answer.most_common())
    # The score is for whoever reads the log, whether or not it is all.
    with capsys.disabled():
        print(f"\n{score}: {counts}")
    assert mistakes == []
    assert required > 1000
    assert set(by_answer) == {answer.value for answer in Answer}


def test_the_score_sees_what_was_not_done():
    """A key that counts everything as correct proves nothing: the original fails nearly all."""
    planted = next(answer_key.files())
    data = encoded(planted.dataset)
    missed = [item for item in planted.items if not is_correct(item, planted, data)]
    assert {item.answer for item in missed} == set(Answer) - {
        Answer.KEEP,
        Answer.PIXELS,
        Answer.HELD,
    }
    kept = [item for item in planted.items if item.answer in {Answer.KEEP, Answer.PIXELS}]
    assert len(missed) == len(planted.items) - len(kept)


@pytest.mark.requirement("R90")
def test_one_uid_becomes_one_uid_in_every_file():
    pet, ct = (
        pydicom.dcmread(io.BytesIO(rewritten(one.dataset, POLICY)[2]))
        for one in list(answer_key.files())[:2]
    )
    assert all(pet[keyword].value == ct[keyword].value for keyword in answer_key.UIDS)
