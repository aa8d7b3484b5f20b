"""Files of encoded elements are, byte for byte, those that pydicom writes."""

from __future__ import annotations

import io
from dataclasses import replace

import pydicom
import pytest

from imaging.deidentification import deidentify
from imaging.encoding import file_of, raw_of, raw_sequence
from imaging.parser_child import encoded
from tests.imaging.test_deidentification import POLICY
from tests.imaging.test_deidentification_mutants import IMAGES


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("sponsor", ["", "Universitätsklinikum Würzburg"])
def test_a_file_is_the_one_that_pydicom_writes(name, sponsor):
    result = deidentify(IMAGES[name](), replace(POLICY, sponsor=sponsor))
    written = file_of(result.elements)
    assert written == encoded(result.dataset)
    # Of elements that pydicom has read and understood, too.
    assert written == encoded(pydicom.dcmread(io.BytesIO(written)))


def test_a_sequence_is_the_one_that_pydicom_writes():
    ds = pydicom.dataset.Dataset()
    item = pydicom.dataset.Dataset()
    item.CodeValue, item.CodeMeaning = "77004003", "F-18"
    ds.RadionuclideCodeSequence = [item, pydicom.dataset.Dataset()]
    tag = ds["RadionuclideCodeSequence"].tag
    elements = {int(one.tag): raw_of(one) for one in item}
    assert raw_sequence(tag, [elements, {}]) == raw_of(ds["RadionuclideCodeSequence"])


def test_what_has_no_identity_is_no_file():
    elements = deidentify(IMAGES["siemens"](), POLICY).elements
    del elements[0x00080018]
    with pytest.raises(ValueError, match="SOP Instance UID"):
        file_of(elements)
