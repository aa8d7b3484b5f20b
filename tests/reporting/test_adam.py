"""ADaM from SDTM: what ADaMIG 1.3 asks for, and that each value is the one that it names."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pyreadstat
import pytest
from lxml import etree

from reporting import adam, sdtm
from reporting.adam import Membership, Populations, described
from reporting.adam.finishing import dataset, finished
from reporting.adam.specification import Specification
from reporting.define import written as written_define
from reporting.formats import FORMATS
from reporting.formats.staged import Stage
from reporting.sdtm.model import Domain, MappingError
from reporting.sdtm.specification import DOMAINS
from tests.reporting.sdtm_trial import INJECTED, SUBJECT, definition, made, patient, row, scan
from tests.reporting.test_core import ABOUT
from tests.reporting.test_define import DEF, SPACE, STUDY
from trials import populations

Records = dict[str, list[dict[str, Any]]]
# INJECTED, by the clock of the site.
SITES_CLOCK = datetime.fromisoformat("2026-03-02T10:15")
# Of the flags and dates of ours that follow a naming rule of the guide and not a name of it.
OWN = frozenset(
    {"ARMNRS", "COHORT", "POPBASIS", "SCRFFL", "STRATAR", "COUNTRY", "TRACER", "AVALU", "LESID"}
    | {"MEASMTHD", "SCANID", "SCANDONE", "EVALFL", "SCNVLRFL", "SCNPPRFL", "LSVLRFL"}
)


def made_of(source: sdtm.Source, members: tuple[Membership, ...] = ()) -> tuple[Domain, ...]:
    stated = populations.stated(source.definition)
    return adam.datasets(sdtm.domains(source), Populations(stated, members))


def records(found: tuple[Domain, ...]) -> Records:
    return {one.name: one.records() for one in found}


def finding(number: int, at: int, test: str, value: Any, **given: Any) -> dict[str, Any]:
    """A result of a signed read of a scan, of its first lesion unless said otherwise."""
    is_number = isinstance(value, int | float)
    values = {
        "finding": number, "scan": at, "read": at, "reader": 9, "role": "reader", "test": test,
        "is_accepted": True, "lesion_number": 1, "location": "liver",
        "value_number": value if is_number else None,
        "value_text": None if is_number else value, "unit": "g/mL" if is_number else None,
        "found_at": INJECTED,
    }  # fmt: skip
    return row("findings", **{**values, **given})


def pair(first: int, second: int, **given: Any) -> dict[str, Any]:
    values = {"comparison": 1, "pair": 1, "kind": "times", "reader": 9, "first_scan": first,
              "first_lesion": 1, "second_scan": second, "second_lesion": 1,
              "outcome": "both", "matched_by": "reader"}  # fmt: skip
    return row("pairs", **{**values, **given})


def followed(**changed: Any) -> sdtm.Source:
    """A patient scanned with one tracer twice: a lesion from 8.4 to 6.3, and one that is new."""
    later = INJECTED + timedelta(days=60)
    tables: dict[str, Any] = {
        "scans": [
            scan(51, "68Ga-Pentixafor"),
            scan(52, "68Ga-Pentixafor", injected_at=later, planned_at=later),
        ],
        "findings": [
            finding(1, 51, "SUVMAX", 8.4),
            finding(2, 52, "SUVMAX", 6.3),
            finding(3, 52, "SUVMAX", 5.0, lesion_number=2),
        ],
        "pairs": [pair(51, 52)],
    }
    empty = dict.fromkeys(
        ("series", "lesions", "regions", "organs", "ratios", "responses", "grown_ratios"), ()
    )
    empty |= dict.fromkeys(("recist_lesions", "effective_dose", "deviations"), ())
    source = made(**{name: list(rows) for name, rows in empty.items()})
    return replace(source, tables={**source.tables, **tables, **changed}, forms={})


@pytest.fixture(scope="module")
def whole() -> tuple[Domain, ...]:
    stated = populations.stated(definition())
    scans = {"SCANEVAL": "SCAN-41"}
    members = [
        Membership(SUBJECT, one.identifier, scans.get(one.identifier, ""), True, True, "stands")
        for one in stated
        if one.level == "patient" or one.identifier in scans
    ]
    return made_of(made(), tuple(members))


@pytest.fixture(scope="module")
def domains() -> Records:
    return records(sdtm.domains(made()))


def test_each_value_is_the_one_of_sdtm_that_its_record_names(whole, domains):
    found = records(whole)
    supplements = {
        (one["USUBJID"], one["IDVARVAL"], one["QNAM"]): one["QVAL"] for one in domains["SUPPPR"]
    }
    checked = 0
    for one in [*found["ADTR"], *found["ADPET"]]:
        value = one["AVALC"] if one["AVAL"] is None else one["AVAL"]
        if one["SRCDOM"].startswith("SUPP"):
            assert value == float(supplements[one["USUBJID"], str(one["SRCSEQ"]), one["SRCVAR"]])
        else:
            (source,) = (
                each
                for each in domains[one["SRCDOM"]]
                if each["USUBJID"] == one["USUBJID"]
                and each[f"{one['SRCDOM']}SEQ"] == one["SRCSEQ"]
            )
            assert value == source[one["SRCVAR"]]
        checked += 1
    assert checked == len(found["ADTR"]) + len(found["ADPET"]) > 30


def test_every_result_of_sdtm_is_analysed_once(whole, domains):
    """TR is parted into lesions and scans: no result is lost, and none is in both."""
    found = records(whole)
    taken = [
        one["SRCSEQ"]
        for one in [*found["ADTR"], *found["ADPET"]]
        if (one["SRCDOM"], one["USUBJID"]) == ("TR", SUBJECT)
    ]
    there = [one["TRSEQ"] for one in domains["TR"] if not one["TRSTAT"]]
    assert sorted(taken) == sorted(there)


def test_adsl_has_each_patient_of_dm_once_as_dm_says(whole, domains):
    subjects = records(whole)["ADSL"]
    assert [one["USUBJID"] for one in subjects] == [one["USUBJID"] for one in domains["DM"]]
    for one, dm in zip(subjects, domains["DM"], strict=True):
        for name in ("AGE", "SEX", "RACE", "ARM", "ACTARM", "SITEID", "ARMNRS"):
            assert one[name] == dm[name]
    first, failed, untreated, _ = subjects
    assert (first["TRT01P"], first["TRT01A"]) == ("Pentixafor and FDG", "Pentixafor and FDG")
    # 2026-03-02T10:15 in Berlin; SAS counts from 1960.
    assert first["TRTSDT"] == (date(2026, 3, 2) - date(1960, 1, 1)).days
    seconds = SITES_CLOCK - datetime.fromisoformat("1960-01-01T00:00")
    assert first["TRTSDTM"] == seconds.total_seconds()
    assert (failed["SCRFFL"], failed["EOSSTT"], failed["TRT01P"]) == ("Y", "", "")
    assert (untreated["TRT01P"], untreated["TRT01A"], untreated["EOSSTT"]) == (
        "Pentixafor and FDG", "", "ONGOING",
    )  # fmt: skip


def test_flags_say_who_is_in_a_population_and_what_that_rests_on(whole):
    found = records(whole)
    first, other, *_ = found["ADSL"]
    names = ("ENRLFL", "SAFFL", "FASFL", "EVALFL", "PPROTFL")
    assert {first[name] for name in names} == {"Y"}
    assert {other[name] for name in names} == {"N"}
    assert (first["POPBASIS"], other["POPBASIS"]) == ("DECIDED", "")
    in_scan = {(one["SCANID"], one["SCNVLRFL"]) for one in found["ADPET"]}
    assert in_scan == {("SCAN-41", "Y"), ("SCAN-42", "N")}
    assert {one["SAFFL"] for one in found["ADTR"]} == {"Y"}


@pytest.mark.parametrize(
    ("standings", "said"),
    [
        ([(False, ""), (False, "")], "PROPOSED"),
        ([(True, "stands"), (False, "")], "DECIDED IN PART"),
        ([(True, "stands"), (True, "overtaken")], "REVIEW OVERTAKEN"),
        ([(True, "overtaken"), (True, "broken")], "REVIEW BROKEN"),
    ],
)
def test_a_review_that_stands_no_more_is_told(standings, said):
    members = [
        Membership(SUBJECT, f"P{place}", "", True, is_decided, standing)
        for place, (is_decided, standing) in enumerate(standings)
    ]
    assert Populations([], members).basis(SUBJECT) == said


def test_the_change_of_a_lesion_is_against_its_own_baseline():
    """From 8.4 to 6.3: a change of -2.1, and 100 * -2.1 / 8.4 = -25 percent."""
    found = records(made_of(followed()))["ADTR"]
    first, new, later = sorted(found, key=lambda one: (one["ADTM"], one["AVAL"]))
    assert (first["ABLFL"], first["BASE"], first["CHG"]) == ("Y", 8.4, None)
    assert (later["ABLFL"], later["BASE"], later["CHG"], later["PCHG"]) == ("", 8.4, -2.1, -25.0)
    assert first["LESID"] == later["LESID"] == "READ-51-1"
    # What was not there at the baseline has none, though it is the first of its own.
    assert (new["LESID"], new["ABLFL"], new["BASE"], new["CHG"]) == ("READ-52-2", "", None, None)


def test_percent_change_is_that_of_the_guide(whole):
    """ADaMIG 1.3: PCHG = ((AVAL - BASE) / BASE) * 100, CHG = AVAL - BASE."""
    found = records(made_of(followed()))["ADTR"] + records(whole)["ADPET"]
    compared = [one for one in found if one["PCHG"] is not None]
    assert compared
    for one in compared:
        assert one["CHG"] == pytest.approx(one["AVAL"] - one["BASE"], rel=1e-12)
        assert one["PCHG"] == pytest.approx((one["AVAL"] - one["BASE"]) / one["BASE"] * 100)


def test_of_two_values_at_the_baseline_none_is_taken():
    twice = [finding(1, 51, "SUVMAX", 8.4), finding(4, 51, "SUVMAX", 8.0),
             finding(2, 52, "SUVMAX", 6.3)]  # fmt: skip
    found = records(made_of(followed(findings=twice)))["ADTR"]
    assert {(one["ABLFL"], one["BASE"], one["CHG"]) for one in found} == {("", None, None)}


def test_the_baseline_is_the_scan_that_the_response_is_judged_against():
    third = INJECTED + timedelta(days=120)
    source = followed(
        findings=[
            *followed().rows("findings"),
            finding(5, 53, "SUVMAX", 3.15),
        ],
        pairs=[pair(51, 52), pair(52, 53, comparison=2, pair=2)],
        responses=[
            row("responses", scan=53, baseline_scan=52, evaluation=1, rule="P",
                criterion="percist", reader=9, is_accepted=True, read=53, category="PMR",
                evaluated_at=third),
        ],
    )  # fmt: skip
    scans = [*source.rows("scans"), scan(53, "68Ga-Pentixafor", injected_at=third)]
    source = replace(source, tables={**source.tables, "scans": scans})
    found = [one for one in records(made_of(source))["ADTR"] if one["LESID"] == "READ-51-1"]
    by_scan = {one["TRLNKGRP"]: (one["ABLFL"], one["BASE"], one["PCHG"]) for one in found}
    assert by_scan == {
        "SCAN-51": ("", 6.3, None),
        "SCAN-52": ("Y", 6.3, None),
        "SCAN-53": ("", 6.3, -50.0),
    }


def test_two_tracers_are_two_parameters(whole):
    found = records(whole)["ADPET"]
    uptake = {(one["PARAMCD"], one["PARAM"]) for one in found if "Uptake Time" in one["PARAM"]}
    assert uptake == {
        ("PUPTKTM", "68GA-PENTIXAFOR: Uptake Time (min)"),
        ("FUPTKTM", "18F-FDG: Uptake Time (min)"),
    }
    for records_ in (found, records(whole)["ADTR"]):
        pairs = {(one["PARAMCD"], one["PARAM"], one["PARCAT1"]) for one in records_}
        assert len(pairs) == len({code for code, *_ in pairs})
        assert max(len(code) for code, *_ in pairs) <= 8


def test_what_software_found_is_not_counted_with_what_a_reader_did(whole):
    found = records(whole)["ADTR"]
    suvmax = [one for one in found if one["PARAMCD"] == "PSUVMAX"]
    assert {(one["LESID"], one["ANL01FL"], one["ANL02FL"], one["AVAL"]) for one in suvmax} == {
        ("PAIR-82-S", "Y", "", 12.28125),
        ("RUN-61", "", "Y", 12.2969),
    }


def test_a_region_that_nobody_stands_for_is_not_analysed():
    regions = [{**one, "region_status": "proposed"} for one in made().rows("regions")]
    found = records(made_of(made(regions=regions)))["ADPET"]
    assert {one["ANL01FL"] for one in found if one["PARCAT2"] == "REGION OF REFERENCE"} == {""}


def test_an_injection_whose_scan_was_not_done_is_there_and_not_analysed():
    scans = [scan(41, "68Ga-Pentixafor", state="cancelled"), scan(42, "18F-FDG")]
    empty = {"findings": [], "pairs": [], "responses": [], "series": [], "lesions": []}
    empty |= {"regions": [], "organs": [], "ratios": [], "grown_ratios": []}
    empty |= {"recist_lesions": []}
    found = records(made_of(made(scans=scans, **empty)))["ADPET"]
    injected = {one["SCANID"]: (one["AVAL"], one["SCANDONE"], one["ANL01FL"])
                for one in found if one["PARCAT2"] == "INJECTION"}  # fmt: skip
    assert injected == {"SCAN-41": (157.375, "N", ""), "SCAN-42": (157.375, "Y", "Y")}


def crossover(sequence: str | None) -> sdtm.Source:
    """Two patients' worth of a cross-over: FDG first, by allocation, and what was given."""
    stated = {
        **definition(),
        "arms": [{"identifier": "F", "label": "FDG", "role": "active_comparator"}],
        "randomisation": {
            "masking": "concealed" if sequence is None else "open",
            "sequences": [
                {"identifier": "fp", "label": "FDG, then Pentixafor", "periods": ["fdg", "ptf"]},
                {"identifier": "pf", "label": "Pentixafor, then FDG", "periods": ["ptf", "fdg"]},
            ],
        },
    }
    later = INJECTED + timedelta(days=1)
    source = followed(
        scans=[scan(61, "18F-FDG"), scan(62, "68Ga-Pentixafor", injected_at=later)],
        patients=[patient("101-001", state="enrolled", enrolled_at=INJECTED)],
        consents=[], evidence=[], eligibility=[], findings=[], pairs=[],
        allocations=[row("allocations", allocation=1, allocated_at=INJECTED, sequence=sequence,
                         stratum="101", is_unblinded=False)],
    )  # fmt: skip
    return replace(source, versions=[sdtm.Version(1, "1.0", stated)])


def test_a_cross_over_has_its_treatments_by_period():
    found = records(made_of(crossover("fp")))
    (one,) = found["ADSL"]
    labels = {name["identifier"]: name["label"] for name in definition()["planned_scans"]}
    fdg, ptf = labels["fdg"], labels["ptf"]
    assert [one[name] for name in ("TRT01P", "TRT02P", "TRT01A", "TRT02A")] == [fdg, ptf, fdg, ptf]
    assert one["TRTSEQP"] == one["TRTSEQA"] == f"{fdg} - {ptf}"
    assert one["TR02SDT"] == one["TR01SDT"] + 1
    assert (one["RANDDT"], one["STRATAR"]) == (one["TR01SDT"], "101")
    periods = {(each["SCANID"], each["APERIOD"], each["TRTP"], each["TRTA"])
               for each in found["ADPET"]}  # fmt: skip
    assert periods == {("SCAN-61", 1, fdg, fdg), ("SCAN-62", 2, ptf, ptf)}


def test_a_concealed_sequence_is_in_no_variable():
    """As in SDTM, whose arm is empty: no treatment by period, no period, no sequence."""
    found = records(made_of(crossover(None)))
    (one,) = found["ADSL"]
    told = [name for name in one if name.startswith(("TRT0", "TR0", "TRTSEQ")) and one[name]]
    assert told == []
    assert one["ARMNRS"] == "ALLOCATION CONCEALED"
    assert {(each["TRTP"], each["TRTA"], each["APERIOD"]) for each in found["ADPET"]} == {
        ("", "", None)
    }


def test_a_value_without_a_variable_is_refused_by_name():
    with pytest.raises(MappingError, match="ADTR has no variable SURPRISE"):
        finished(Specification("ADTR", "", "", "", ()), [{"SURPRISE": 1}])


def _standard(name: str) -> str:
    """The name in the guide that a name follows: xx a period, y and zz a number."""
    if name.startswith(("TRT0", "TR0")):
        return name[:2] + name[2:].replace(name[name.index("0") : name.index("0") + 2], "xx", 1)
    return {"PARCAT1": "PARCATy", "PARCAT2": "PARCATy", "ANL01FL": "ANLzzFL",
            "ANL02FL": "ANLzzFL"}.get(name, name)  # fmt: skip


def _label(said: str, name: str) -> str:
    number = next((one for one in ("01", "02") if one in name), name[-1])
    return said.replace("xx", number).replace("zz", number).removesuffix(" y") + (
        f" {number}" if said.endswith(" y") else ""
    )


def test_names_labels_and_types_are_those_of_the_guide(whole, reference_data):
    path = reference_data / "../cdisc/spec_adamig13.csv"
    with path.open(encoding="utf-8") as file:
        guide = [dict(one) for one in csv.DictReader(file)]
    of = {
        structure: {one["variable"]: one for one in guide if one["structure"] == structure}
        for structure in ("Subject-Level Analysis Dataset", "Basic Data Structure")
    }
    seen = set()
    for one in (*whole, *made_of(crossover("fp"))):
        structure = of["Subject-Level Analysis Dataset" if one.name == "ADSL" else
                       "Basic Data Structure"]  # fmt: skip
        for variable in one.variables:
            seen.add(variable.name)
            assert len(variable.name) <= 8
            assert len(variable.label) <= 40
            assert variable.method or variable.origin == "Assigned", variable.name
            known = structure.get(_standard(variable.name))
            known = known or of["Subject-Level Analysis Dataset"].get(variable.name)
            if known:
                assert variable.label == _label(known["label"], variable.name)
                assert variable.type == known["type"], variable.name
            elif variable.name not in OWN:
                domain = variable.method.split(".")[0]
                spec = {each.name: each for each in DOMAINS[domain].variables}
                assert variable.label == spec[variable.name].label
        required = {name for name, each in structure.items() if each["core"] == "Req"}
        has = {_standard(each.name) for each in one.variables}
        assert required - has == set(), one.name
    assert seen >= OWN


def written(folder: Path, one: Domain, name: str) -> Path:
    stage = Stage(dataset(one), folder / "rows.arrow")
    for _ in stage.batches(one.rows):
        pass
    path = folder / f"{one.name.lower()}.{FORMATS[name].suffix}"
    with path.open("wb") as file:
        assert FORMATS[name].write(stage.staged(), file, ABOUT) == []
    return path


def test_transport_files_are_read_back_equal_by_readstat(whole, tmp_path):
    for one in whole:
        path = written(tmp_path, one, "adam-xpt")
        found, about = pyreadstat.read_xport(
            str(path), output_format="dict", disable_datetime_conversion=True
        )
        records_ = one.records()
        assert about.file_label == one.label
        for variable in one.variables:
            wanted = [each[variable.name] for each in records_]
            read = [None if value != value else value for value in found[variable.name]]
            assert read == wanted, variable.name
            assert about.column_names_to_labels[variable.name] == variable.label
    # As dates, where a reader takes the format at its word.
    dated, about = pyreadstat.read_xport(str(tmp_path / "adsl.xpt"), output_format="dict")
    assert about.original_variable_types["TRTSDT"] == "DATE9"
    assert about.original_variable_types["TRTSDTM"] == "DATETIME20"
    assert dated["TRTSDT"][0] == date(2026, 3, 2)
    assert dated["TRTSDTM"][0] == SITES_CLOCK


def test_dataset_json_is_valid_by_the_schema_of_cdisc(whole, tmp_path, reference_data):
    schema = json.loads((reference_data / "../cdisc/schema/dataset.schema.json").read_text())
    for one in whole:
        found = json.loads(written(tmp_path, one, "adam-json").read_bytes())
        jsonschema.Draft201909Validator(schema).validate(found)
        assert found["records"] == len(one.rows)
        columns = {each["name"]: each for each in found["columns"]}
        if one.name == "ADSL":
            place = list(columns).index("TRTSDT")
            assert found["rows"][0][place : place + 2] == ["2026-03-02", "2026-03-02T10:15:00"]
            assert columns["TRTSDT"]["dataType"] == "date"
            assert columns["TRTSDTM"]["targetDataType"] == "integer"


def test_define_xml_of_the_datasets_is_valid_by_the_schema_and_says_where_values_are_from(
    whole, reference_data
):
    root = etree.fromstring(
        written_define(STUDY, described.STANDARDS, described.described(whole, "xpt"))
    )
    folder = reference_data / "../cdisc/schema/define21/cdisc-define-2.1"
    etree.XMLSchema(etree.parse(folder / "define2-1-0.xsd")).assertValid(root)
    items = {one.get("OID"): one for one in root.iterfind(".//o:ItemDef", SPACE)}
    assert {one.name for each in whole for one in each.variables} == {
        one.get("Name") for one in items.values()
    }
    age = items["IT.ADSL.AGE"].find(f"{DEF}Origin")
    assert (age.get("Type"), "".join(age.itertext()).strip()) == ("Predecessor", "DM.AGE")
    assert items["IT.ADSL.TRTSDT"].get(f"{DEF}DisplayFormat") == "DATE9."
    # Of a parameter the variable of SDTM that its values are.
    dose = items["IT.ADPET.AVAL.PARAMCD.PINJACT"].find(f"{DEF}Origin")
    assert "".join(dose.itertext()).strip() == "EX.EXDOSE"
    leaves = [one.get("{http://www.w3.org/1999/xlink}href") for one in root.iter(f"{DEF}leaf")]
    assert leaves == ["adsl.xpt", "adtr.xpt", "adpet.xpt"]
