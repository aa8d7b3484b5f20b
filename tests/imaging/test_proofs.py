"""Each proof holds on what is right, and fails on what is wrong in its own way."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from imaging import deidentification_table
from imaging.dcmdump_listing import DumpError, places_in_dump
from imaging.deidentification import deidentify
from imaging.element_places import beyond, places_of
from imaging.file_evidence import Evidence, evidence_of
from imaging.headers import header_of
from imaging.parser_child import deidentified, encoded, parsed, rewritten
from imaging.proofs import (
    KNOWN_TABLES,
    Kind,
    Outcome,
    of_dump,
    of_identifiers,
    of_keep_list,
    of_pixels,
    of_suv,
)
from tests.conftest import _required
from tests.imaging.test_deidentification import POLICY, an_image

# What dcmdump 3.6.7 printed of a file, but for the values.
DUMP = r"""# dcmdump (1/2): a

# Dicom-File-Format

# Dicom-Meta-Information-Header
# Used TransferSyntax: Little Endian Explicit
(0002,0010) UI =LittleEndianExplicit                    #  20, 1 TransferSyntaxUID

# Dicom-Data-Set
# Used TransferSyntax: Little Endian Explicit
(0008,0016) UI =PositronEmissionTomographyImageStorage  #  28, 1 SOPClassUID
(0010,0010) PN [A (0010,0020) LO]                       #  16, 1 PatientName
(0054,0016) SQ (Sequence with explicit length #=1)      # 148, 1 Radiopharmaceutical…
  (fffe,e000) na (Item with explicit length #=5)          # 140, 1 Item
    (0018,1074) DS [370000000]                              #  10, 1 RadionuclideTotalDose
    (0054,0300) SQ (Sequence with explicit length #=1)      #  50, 1 RadionuclideCodeSequence
      (fffe,e000) na (Item with explicit length #=3)          #  42, 1 Item
        (0008,0100) SH [77004003]                               #   8, 1 CodeValue
      (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
    (fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
  (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
(fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
(7053,0010) LO [Philips PET Private Group]              #  26, 1 PrivateCreator
(7053,1000) DS [0.000421]                               #   8, 1 SUVFactor
(7fe0,0010) OW 0000\0000\0000                           #  40, 1 PixelData
# dcmdump (2/2): b

(0008,0018) UI [2.25.1]                                 #   6, 1 SOPInstanceUID
"""


def evidence(ds: Dataset | None = None, *, written: Dataset | None = None) -> Evidence:
    """Of one file; `written` is what was released of it, unless it is what we release."""
    ds = an_image() if ds is None else ds
    released = deidentify(ds, POLICY).dataset if written is None else written
    data = encoded(released)
    header = header_of(parsed(data)).to_json()
    return evidence_of(ds, data, header=header, date_shift_days=POLICY.date_shift_days)


def released() -> Dataset:
    return deidentify(an_image(), POLICY).dataset


@pytest.mark.requirement("R99")
@pytest.mark.requirement("R101")
def test_every_proof_of_a_sound_series_holds():
    files = [evidence()]
    for proof in (of_pixels(files), of_suv(files), of_identifiers(files), of_keep_list(files)):
        assert proof.outcome == Outcome.HELD, proof.detail
        assert proof.detail.endswith(".")


def test_evidence_comes_back_from_json():
    one = evidence()
    assert Evidence.from_json(json.loads(json.dumps(one.to_json()))) == replace(
        one, before=json.loads(json.dumps(one.before)), after=json.loads(json.dumps(one.after))
    )


def test_the_version_of_the_table_names_the_rows_that_are_in_force():
    assert KNOWN_TABLES[deidentification_table.TABLE] == deidentification_table.digest()


@pytest.mark.reference
@pytest.mark.requirement("R107")
def test_the_proofs_hold_for_every_header_of_real_scanners(reference_data):
    files = sorted((reference_data / "pet_headers/expected.json").parent.glob("*.dcm"))
    for file in files:
        image = parsed(file.read_bytes())
        header, _, data = rewritten(image, POLICY)
        days = POLICY.date_shift_days
        one = [evidence_of(image, data, header=header.to_json(), date_shift_days=days)]
        for proof in (of_pixels(one), of_suv(one), of_keep_list(one)):
            assert proof.outcome == Outcome.HELD, (file.name, proof.detail)
    assert len(files) > 27


@pytest.mark.requirement("R93")
def test_an_age_above_89_years_is_found():
    old, young = released(), released()
    old.PatientAge, young.PatientAge = "090Y", "120M"
    assert evidence(written=old).beyond == ("(0010,1010)",)
    assert evidence(written=young).beyond == ()


@pytest.mark.requirement("R99")
def test_pixels_packed_otherwise_are_the_same_pixels():
    packed = an_image()
    packed.compress(RLELossless, encoding_plugin="pydicom")
    assert of_pixels([evidence(packed)]).outcome == Outcome.HELD


@pytest.mark.requirement("R99")
def test_a_changed_pixel_is_found():
    changed = released()
    changed.PixelData = np.arange(20, dtype="<i2").tobytes()
    proof = of_pixels([evidence(), evidence(written=changed)])
    assert (proof.kind, proof.outcome) == (Kind.PIXELS, Outcome.FAILED)
    assert proof.detail == "In 1 of 2 images the decoded pixel values differ."


@pytest.mark.requirement("R99")
@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("RescaleSlope", "2.6", "rescale slope"),
        ("RescaleIntercept", "1", "rescale intercept"),
        ("ImagePositionPatient", [0, 0, 3], "position"),
        ("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], "orientation"),
        ("PixelSpacing", [4, 5], "pixel spacing"),
        ("SliceThickness", None, "slice thickness"),
    ],
)
def test_another_rescale_or_place_is_found(keyword, value, said):
    changed = released()
    setattr(changed, keyword, value)
    proof = of_pixels([evidence(written=changed)])
    assert proof.outcome == Outcome.FAILED
    assert said in proof.detail


@pytest.mark.requirement("R107")
@pytest.mark.parametrize(
    ("keyword", "value"), [("PatientWeight", "71"), ("Units", "CNTS"), ("AcquisitionTime", "1100")]
)
def test_another_suv_is_found(keyword, value):
    changed = released()
    setattr(changed, keyword, value)
    assert of_suv([evidence(written=changed)]).outcome == Outcome.FAILED


@pytest.mark.requirement("R107")
def test_an_suv_that_is_refused_is_refused_for_the_same_reason_afterwards():
    ds = an_image()
    del ds.PatientWeight
    proof = of_suv([evidence(ds)])
    assert (proof.outcome, "weight" in proof.detail) == (Outcome.HELD, True)
    with_weight = released()
    assert of_suv([evidence(ds, written=with_weight)]).outcome == Outcome.FAILED


def test_of_ct_no_suv_is_proved():
    ct = replace(evidence(), after={"modality": "CT"})
    assert of_suv([ct]).outcome == Outcome.NOT_MADE


@pytest.mark.requirement("R91")
@pytest.mark.parametrize("keyword", ["SeriesDate", "AcquisitionDate"])
def test_a_date_that_did_not_move_is_found(keyword):
    changed = released()
    setattr(changed, keyword, getattr(an_image(), keyword))
    proof = of_keep_list([evidence(written=changed)])
    assert proof.outcome == Outcome.FAILED
    assert "20260301" not in proof.detail


@pytest.mark.requirement("R91")
def test_a_nested_or_private_date_that_did_not_move_is_found():
    ds = an_image()
    # In another block than the one it is written to.
    ds.add_new((0x0009, 0x0012), "LO", "GEMS_PETD_01")
    ds.add_new((0x0009, 0x120D), "DT", "20260301110000.00")
    sound = deidentify(ds, POLICY).dataset
    assert of_keep_list([evidence(ds, written=sound)]).outcome == Outcome.HELD
    private, nested = copy.deepcopy(sound), copy.deepcopy(sound)
    private[0x0009, 0x100D].value = "20260301110000.00"
    item = nested.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartDateTime = "20260301100000"
    for changed in (private, nested):
        assert evidence(ds, written=changed).unmoved
    assert of_keep_list([evidence(ds, written=nested)]).outcome == Outcome.FAILED


@pytest.mark.requirement("R101")
def test_an_attribute_beyond_the_table_is_found_at_every_level():
    top, nested, private = released(), released(), released()
    top.InstitutionName = "ZZCANARY"
    nested.RadiopharmaceuticalInformationSequence[0].OperatorsName = "ZZCANARY"
    private.private_block(0x0051, "ZZCANARY", create=True).add_new(1, "LO", "x")
    for changed in (top, nested, private):
        proof = of_keep_list([evidence(written=changed)])
        assert (proof.outcome, "CANARY" in proof.detail) == (Outcome.FAILED, False)
    assert evidence(written=private).beyond == ("(0051,00xx)", "(0051,xx01)")


@pytest.mark.requirement("R97")
def test_a_description_in_other_words_is_found():
    changed = released()
    changed.SeriesDescription = "WB AC"
    assert evidence(written=changed).beyond == ()
    changed.SeriesDescription = "WB Kowalski"
    assert evidence(written=changed).beyond == ("(0008,103e)",)


@pytest.mark.requirement("R90")
def test_a_uid_that_was_not_replaced_is_found():
    changed = released()
    changed.FrameOfReferenceUID = "1.2.9"
    assert evidence(written=changed).beyond == ("(0020,0052)",)


def test_a_dump_is_read_by_place():
    first, second = places_in_dump(DUMP)
    assert first == [
        "(0002,0010)",
        "(0008,0016)",
        "(0010,0010)",
        "(0054,0016)",
        "(0054,0016).(0018,1074)",
        "(0054,0016).(0054,0300)",
        "(0054,0016).(0054,0300).(0008,0100)",
        "(7053,00xx) Philips PET Private Group",
        "(7053,xx00) Philips PET Private Group",
        "(7fe0,0010)",
    ]
    assert second == ["(0008,0018)"]
    assert of_dump([DUMP], version="3.6.7", count=2).outcome == Outcome.HELD


@pytest.mark.requirement("R101")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("(0008,0080) LO [ZZCANARY]  #   8, 1 InstitutionName", "(0008,0080)"),
        ("    (0008,0080) LO [ZZCANARY]  #   8, 1 InstitutionName", "(0008,0080)"),
        ("        (0008,1030) LO [ZZCANARY]  #   8, 1 StudyDescription", "in no sequence"),
        ("(0009,1001) LO [ZZCANARY]  #   8, 1 Unknown", "(0009,xx01)"),
        ("(7053,0010) LO [Philips PET Private Groups]  #   8, 1 PrivateCreator", "(7053,00xx)"),
        ("ZZCANARY]  #   8, 1 a value with a line in it", "no element"),
    ],
)
def test_what_a_dump_lists_beyond_the_table_is_found(line, said):
    proof = of_dump([DUMP + line + "\n"], version="3.6.7", count=2)
    assert proof.outcome == Outcome.FAILED
    assert said in proof.detail
    assert "CANARY" not in proof.detail


def test_a_dump_in_parts_is_that_of_all_files():
    at = DUMP.rindex("# dcmdump (")
    whole, parts = ([DUMP], [DUMP[:at], DUMP[at:]])
    assert of_dump(parts, version="3.6.7", count=2) == of_dump(whole, version="3.6.7", count=2)
    strange = "(0008,0080) LO [ZZCANARY]  #   8, 1 InstitutionName\n"
    assert of_dump([*parts, strange], version="3.6.7", count=2).outcome == Outcome.FAILED


def test_a_dump_of_fewer_files_than_were_written_fails():
    assert of_dump([DUMP], version="3.6.7", count=3).outcome == Outcome.FAILED
    with pytest.raises(DumpError):
        places_in_dump("(0008,0018) UI [2.25.1]")


@pytest.mark.requirement("R101")
def test_dcmdump_and_our_parser_list_the_same(tmp_path):
    _required(shutil.which("dcmdump"), "DCMTK", "no dcmdump: apt-get install dcmtk")
    ds = an_image()
    ds.add_new((0x7053, 0x0012), "LO", "Philips PET Private Group")
    ds.add_new((0x7053, 0x1200), "DS", "0.000421")
    written = tmp_path / "one"
    written.write_bytes(deidentified(ds, POLICY)[1])
    done = subprocess.run(["dcmdump", "+F", written], capture_output=True, check=True, text=True)
    (listed,) = places_in_dump(done.stdout)
    ours = list(places_of(pydicom.dcmread(written)))
    assert [one for one in listed if not one.startswith("(0002,")] == ours
    assert beyond(ours) == []
