"""SDTM domains from rows: what SDTMIG 3.4 and its terminology of 2025-03-28 ask for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reporting import sdtm
from reporting.sdtm import checks
from reporting.sdtm.arms import is_under_study
from reporting.sdtm.dates import local
from reporting.sdtm.draft import as_text
from reporting.sdtm.finishing import pieces
from tests.reporting import sdtm_trial
from tests.reporting.sdtm_trial import INJECTED, NOW, SUBJECT, made, row, scan

# The domains that these exports are to have, with MI for histology.
EXPECTED = "DM SC DS IE TI TS TA TE TV SV SE EC EX AG PR LB VS CM MH AE DV TU TR RS MI RP CO RELREC"
# Columns whose values SDTM has in words of its own, or that are of the table and not of the trial.
OTHERWISE = {
    ("patients", "state"): "DS.DSDECOD, DM.ARMNRS",
    ("patients", "site_time_zone"): "DM.COUNTRY; dates are local",
    ("scans", "state"): "PR.PROCCUR",
    ("evidence", "variable"): "--TESTCD",
    ("evidence", "unit"): "submission values of UNIT",
    ("evidence", "recorded_at"): "when it was entered",
    ("evidence", "evidence"): "of a comment; the text names the variable",
    ("evidence", "value"): "a list of events is a record for each",
    ("eligibility", "verdict"): "DS.DSDECOD",
    ("eligibility", "word"): "IE holds what is not met alone",
    ("series", "state"): "TR.TRSTAT",
    ("series", "segmentation_method"): "SUPPTR.SEGMTHD, in words",
    ("findings", "role"): "TR.TREVAL",
    ("recist_lesions", "region"): "TU.TULOC, TU.TULAT",
    ("form_truth_of_lesion", "region"): "CO or SUPPRS, in the terms of TU.TULOC and TU.TULAT",
    ("patients", "screen_failure"): "DS.DSTERM, in words",
    ("eligibility", "outcome"): "IE.IEORRES",
    ("eligibility", "text"): "TI.IETEST, as the protocol has it",
    ("findings", "unit"): "submission values of UNIT",
    ("form_vital_signs_follow_up", "contact"): "SV.SVCNTMOD, in words",
    ("form_scan_preparation", "fasted_hours"): "SUPPPR.FASTDUR, a duration of ISO 8601",
    ("form_scan_aborted", "minutes"): "PR.PRDUR, a duration of ISO 8601",
    ("deviations", "about_table"): "SUPPDV.DVABOUT, with the number of its row",
    ("deviations", "text"): "DV.DVTERM and its continuation",
    ("evidence", "fasting"): "LB.LBFAST, Y or N",
}


@pytest.fixture(scope="module")
def domains() -> dict[str, list[dict[str, Any]]]:
    return {one.name: one.records() for one in sdtm.domains(made())}


def of(found: dict[str, list[dict[str, Any]]], domain: str, **wanted: Any) -> dict[str, Any]:
    """The only record that has these values."""
    rows = [one for one in found[domain] if all(one[key] == wanted[key] for key in wanted)]
    assert len(rows) == 1, (domain, wanted, len(rows))
    return rows[0]


def qualifiers(found: dict[str, list[dict[str, Any]]], record: dict[str, Any]) -> dict[str, str]:
    domain = record["DOMAIN"]
    number = str(record[f"{domain}SEQ"])
    return {
        one["QNAM"]: one["QVAL"]
        for one in found[f"SUPP{domain}"]
        if (one["USUBJID"], one["IDVARVAL"]) == (record["USUBJID"], number)
    }


def test_every_domain_is_named_in_a_fixed_order_though_nothing_was_collected():
    found = sdtm.domains(sdtm.Source("NCT0", NOW, (), {}, {}))
    names = [one.name for one in found]
    assert names[: len(EXPECTED.split())] == EXPECTED.split()
    assert all(name.startswith("SUPP") for name in names[len(EXPECTED.split()) :])
    assert not any(one.rows for one in found if one.name == "DM")


def test_the_same_source_gives_the_same_domains():
    assert sdtm.domains(made()) == sdtm.domains(made())


def test_the_tracer_under_study_is_exposure_and_what_was_drawn_is_as_collected(domains):
    net = of(domains, "EX")
    # Exports reference 1.2: net activity, unit MBq, start and end the injection by the local clock.
    assert (net["EXTRT"], net["EXDOSE"], net["EXDOSU"]) == ("68GA-PENTIXAFOR", 157.375, "MBq")
    assert net["EXSTDTC"] == net["EXENDTC"] == "2026-03-02T10:15:00"
    assert (net["EXDOSFRM"], net["EXDOSFRQ"], net["EXROUTE"]) == (
        "INJECTION, SOLUTION",
        "ONCE",
        "INTRAVENOUS",
    )
    drawn = of(domains, "EC")
    assert (drawn["ECDOSE"], drawn["ECMOOD"]) == (172.125, "PERFORMED")
    assert qualifiers(domains, drawn)["ACTRES"] == "4.0625"
    assert qualifiers(domains, drawn)["ACTPREDT"] == "2026-03-02T10:09:00"


def test_standard_of_care_is_an_agent_and_a_residual_not_measured_is_flagged(domains):
    agent = of(domains, "AG")
    assert (agent["AGTRT"], agent["AGCAT"]) == ("18F-FDG", "PET TRACER")
    assert qualifiers(domains, agent)["RESIDFL"] == "Y"
    assert "RESIDFL" not in qualifiers(domains, of(domains, "EX"))


def test_a_deviation_starts_when_it_happened_and_not_when_it_was_recorded(domains):
    # SDTMIG 3.4, DV: DVSTDTC is the start of the deviation.
    assert of(domains, "DV")["DVSTDTC"] == "2026-03-02T10:15:00"


def test_a_comparator_with_an_arm_of_its_own_is_exposure():
    # Domain reference 25: a randomised comparator goes to EX, by its arm's role.
    crossover = {"arms": [{"role": "experimental"}, {"role": "active_comparator"}]}
    assert is_under_study(crossover, "18F-FDG")
    assert not is_under_study({"arms": [{"role": "single"}], "tracers": [{}, {}]}, "18F-FDG")


def test_uptake_time_is_the_start_of_the_scan_less_the_injection(domains):
    done = of(domains, "PR", PRLNKID="SCAN-41")
    assert (done["PRRFTDTC"], done["PRSTDTC"]) == ("2026-03-02T10:15:00", "2026-03-02T11:10:30")
    assert done["PRTPTREF"] == "TRACER INJECTION"
    assert qualifiers(domains, done)["UPTKTM"] == "55.5"


def test_there_is_no_day_0(domains):
    assert {one["VSDY"] for one in domains["VS"]}.isdisjoint({0})
    assert of(domains, "EX")["EXSTDY"] == 1
    assert of(domains, "DS", DSDECOD="INFORMED CONSENT OBTAINED")["DSSTDY"] == -10
    assert of(domains, "AG")["AGSTDY"] == 4


def test_arms_are_null_with_a_reason_where_nobody_is_in_one(domains):
    arms = {one["SUBJID"]: one for one in domains["DM"]}
    assert (arms["101-001"]["ARMCD"], arms["101-001"]["ACTARMCD"]) == ("BOTH", "BOTH")
    assert arms["101-002"]["ARMNRS"] == "SCREEN FAILURE"
    assert arms["101-003"]["ARMNRS"] == "ASSIGNED, NOT TREATED"
    assert (arms["101-003"]["ARMCD"], arms["101-003"]["ACTARMCD"]) == ("BOTH", "")
    assert arms["101-004"]["ARMNRS"] == "NOT ASSIGNED"
    assert {one["COUNTRY"] for one in domains["DM"]} == {"DEU"}
    assert arms["101-001"]["BRTHDTC"] == "1961"


def test_a_concealed_allocation_tells_no_arm():
    rows = [row("allocations", allocation=1, allocated_at=INJECTED, is_unblinded=False)]
    found = sdtm.domains(made(allocations=rows))
    dm = next(one for one in found if one.name == "DM").records()[0]
    assert (dm["ARMCD"], dm["ACTARM"], dm["ARMNRS"]) == ("", "", "ALLOCATION CONCEALED")


@pytest.mark.parametrize("extent", ["use", "destroy"])
def test_who_withdrew_the_use_of_their_data_is_not_told_as_not_treated(extent):
    """Scans and allocations of such a patient are in no dataset, so nobody can tell from them."""
    first, *others = made().rows("patients")
    withdrawn = {**first, "state": "withdrawn", "withdrawal_extent": extent}
    empty: dict[str, Any] = {name: [] for name in made().tables}
    source = made(**{**empty, "patients": [withdrawn, *others]})
    found = next(one for one in sdtm.domains(replace(source, forms={})) if one.name == "DM")
    arms = {one["SUBJID"]: one for one in found.records()}
    dm = arms["101-001"]
    assert dm["ARMNRS"] == "DATA USE WITHDRAWN"
    assert [dm[name] for name in ("ARMCD", "ARM", "ACTARMCD", "ACTARM")] == ["", "", "", ""]
    assert arms["101-003"]["ARMNRS"] == "ASSIGNED, NOT TREATED"


def test_a_lesion_that_a_reader_grew_has_its_ratio_to_the_mirror_image_beside_its_findings(domains):
    ratio = of(domains, "TR", TRTESTCD="TBRMAX", TRLNKID="READ-15-1")
    assert (ratio["TRSTRESN"], ratio["TRACPTFL"]) == (9.8438, "Y")
    assert qualifiers(domains, ratio)["REFREG"] == "contralateral_brain"
    found = of(domains, "TR", TRTESTCD="SUVMAX", TRLNKID="READ-15-1")
    assert (ratio["TREVALID"], ratio["TRREFID"]) == (found["TREVALID"], found["TRREFID"])


def test_suv_is_in_kg_per_litre_and_mtv_tlg_and_tbr_are_terms_of_ours(domains):
    # UNIT C71620 of 2025-03-28 has kg/L; g/mL is its synonym. There is no MTV, TLG, TBR.
    measured = of(domains, "TR", TRTESTCD="SUVMAX", TRLNKID="RUN-61")
    assert (measured["TRSTRESN"], measured["TRSTRESU"]) == (12.2969, "kg/L")
    assert {one["TRSTRESU"] for one in domains["TR"]} <= {"", "kg/L", "mL", "g", "mm", "RATIO"}
    volume = of(domains, "TR", TRTESTCD="VOLUME", TRLNKID="RUN-61")
    assert qualifiers(domains, volume)["SEGMTHD"] == "FIXED THRESHOLD, SUV 4, AT LEAST 0.5 mL"
    ratio = of(domains, "TR", TRTESTCD="TBRMAX", TRLNKID="RUN-61")
    assert qualifiers(domains, ratio)["REFREG"] == "blood_pool"
    assert of(domains, "TU", TULNKID="REF-71")["TULOC"] == "AORTA"
    assert "MTV" not in {one["TRTESTCD"] for one in domains["TR"]}


def test_a_reader_is_an_independent_assessor_with_a_number(domains):
    read = of(domains, "TR", TRSPID="FINDING-91")
    assert (read["TREVAL"], read["TREVALID"], read["TRACPTFL"]) == (
        "INDEPENDENT ASSESSOR",
        "READER 1",
        "Y",
    )
    assert all(one["TREVAL"] for one in domains["TR"] if one["TREVALID"])


def test_criteria_not_met_are_in_ie_and_no_others(domains):
    assert [(one["USUBJID"], one["IETESTCD"], one["IEORRES"]) for one in domains["IE"]] == [
        ("DEMO-101-002", "E3", "Y")
    ]
    assert len(domains["TI"]) == len(sdtm_trial.definition()["criteria"])


def test_a_criterion_worded_anew_has_a_code_of_its_own():
    source = made()
    amended = deepcopy(sdtm_trial.definition())
    worded = next(one for one in amended["criteria"] if one["identifier"] == "E3")
    first, worded["text"] = worded["text"], "No infection in the last 30 days"
    versions = [*source.versions, sdtm.Version(2, "1.1", amended)]
    tables = {**source.tables, "eligibility": [
        {**one, "text": worded["text"]} for one in source.rows("eligibility")
        if one["criterion"] == "E3"
    ]}  # fmt: skip
    source = sdtm.Source(source.study, source.as_of, versions, tables, source.forms)
    found = {one.name: one.records() for one in sdtm.domains(source)}
    assert {
        (one["TIVERS"], one["IETESTCD"]): one["IETEST"]
        for one in found["TI"]
        if one["IETESTCD"].startswith("E3")
    } == {("1.0", "E3"): first, ("1.1", "E3A"): worded["text"]}
    codes = {(one["IETESTCD"], one["IETEST"]) for one in found["TI"]}
    assert len(codes) == len(dict(codes)) == len(amended["criteria"]) + 1
    assert [one["IETESTCD"] for one in found["IE"]] == ["E3A"]


def test_a_bound_is_no_number_and_a_value_not_known_is_not_done(domains):
    bound = of(domains, "LB", LBTESTCD="GFRE")
    assert (bound["LBORRES"], bound["LBSTRESC"], bound["LBSTRESN"]) == (">90", ">90", None)
    unknown = of(domains, "LB", LBTESTCD="PLAT")
    assert (unknown["LBSTAT"], unknown["LBREASND"]) == ("NOT DONE", "NOT KNOWN")
    # 88.4 µmol/L of creatinine are 1 mg/dL (KDIGO 2024).
    creatinine = of(domains, "LB", LBTESTCD="CREAT")
    assert (creatinine["LBORRESU"], creatinine["LBSTRESN"], creatinine["LBSTRESU"]) == (
        "umol/L",
        1.0,
        "mg/dL",
    )


def test_specimen_method_and_limits_of_normal_stand_with_a_result(domains):
    """1 mg/dL of creatinine is 88.4 µmol/L."""
    creatinine = of(domains, "LB", LBTESTCD="CREAT", LBSPID="EVIDENCE-600")
    assert (creatinine["LBORNRLO"], creatinine["LBORNRHI"]) == ("53", "115")
    standard = [creatinine["LBSTNRLO"], creatinine["LBSTNRHI"]]
    assert standard == pytest.approx([53 / 88.4, 115 / 88.4], rel=1e-3)
    glucose = of(domains, "LB", LBTESTCD="GLUC", LBSPID="EVIDENCE-602")
    assert (glucose["LBSPEC"], glucose["LBFAST"]) == ("CAPILLARY BLOOD", "Y")
    assert qualifiers(domains, glucose)["DEVICE"] == "meter 7"
    assert of(domains, "LB", LBTESTCD="HCG", LBSPID="EVIDENCE-603")["LBMETHOD"] == "IMMUNOASSAY"


def test_results_of_a_form_take_time_and_unit_of_their_section(domains):
    pulses = [one for one in domains["VS"] if one["VSTESTCD"] == "HR" and one["VSTPT"] != ""]
    assert {one["VSTPT"]: one["VSORRESU"] for one in pulses} == {
        "BEFORE THE INJECTION": "beats/min",
        "DURING THE INJECTION": "beats/min",
        "AFTER THE INJECTION": "beats/min",
    }
    assert len({one["VSDTC"] for one in pulses}) == 3
    sampled = [one for one in domains["LB"] if one["LBTESTCD"] == "CORTISOL"]
    assert len(sampled) == 3
    assert {one["LBORRESU"] for one in sampled} == {"nmol/L"}


def test_why_a_value_of_a_form_is_missing_is_told():
    source = made()
    form = source.forms["form_vital_signs"]
    rows = [{**form.rows[0], "before_pulse": None, "before_pulse_missing": "ND",
             "before_pulse_reason": "cuff broken"}]  # fmt: skip
    source = sdtm.Source(
        source.study, source.as_of, source.versions, source.tables,
        {"form_vital_signs": sdtm.FormRows(form.table, rows)},
    )  # fmt: skip
    found = {one.name: one.records() for one in sdtm.domains(source)}
    pulse = of(found, "VS", VSTESTCD="HR", VSTPT="BEFORE THE INJECTION")
    assert (pulse["VSSTAT"], pulse["VSREASND"]) == ("NOT DONE", "Not done: cuff broken")


def test_long_texts_go_on_in_parts_and_come_together_whole(domains):
    deviation = of(domains, "DV")
    rest = qualifiers(domains, deviation)
    text = " ".join([deviation["DVTERM"], rest["DVTERM1"]])
    assert text == ("Too late " * 40)
    assert all(len(one) <= 200 for one in pieces("Too late " * 40))
    assert all(
        len(str(value)) <= 200
        for rows in domains.values()
        for one in rows
        for value in one.values()
    )


def test_partial_dates_stay_partial(domains):
    therapy = of(domains, "CM", CMTRT="R-CHOP")
    assert (therapy["CMSTDTC"], therapy["CMSTDY"]) == ("2024", None)
    assert (therapy["CMENRTPT"], therapy["CMENTPT"]) == ("ONGOING", "2026-02-27")
    none = of(domains, "CM", CMCAT="STEROIDS")
    assert (none["CMPRESP"], none["CMOCCUR"]) == ("Y", "N")


def test_a_duration_is_in_the_words_of_iso_8601(domains):
    record = next(one for one in domains["PR"] if one["PRDUR"])
    # Item `minutes` of the form on scans that were aborted.
    assert record["PRDUR"] == "PT509.1875M"


def test_numbers_count_the_records_of_a_patient(domains):
    for name, rows in domains.items():
        for who in {one["USUBJID"] for one in rows if f"{name}SEQ" in one and "USUBJID" in one}:
            numbers = [one[f"{name}SEQ"] for one in rows if one["USUBJID"] == who]
            assert numbers == list(range(1, len(numbers) + 1)), (name, who)


def test_every_qualifier_stands_beside_a_record_that_there_is(domains):
    for name, rows in domains.items():
        if not name.startswith("SUPP"):
            continue
        parents = domains[name[4:]]
        for one in rows:
            assert any(
                parent["USUBJID"] == one["USUBJID"]
                and (not one["IDVAR"] or str(parent[one["IDVAR"]]) == one["IDVARVAL"])
                for parent in parents
            ), one


def test_every_value_of_the_record_is_found(domains):
    """What was entered or measured is in a cell of a domain, a qualifier or a comment."""
    cells = {as_text(value) for rows in domains.values() for one in rows for value in one.values()}
    source = made()
    tables = [*source.tables.items(), *((name, one.rows) for name, one in source.forms.items())]
    lost = {
        (name, key): value
        for name, rows in tables
        for one in rows
        for key, value in one.items()
        if not key.startswith("record_") and key != "visit" and not _is_found(value, cells)
    }
    assert sorted(set(lost) - set(OTHERWISE)) == []
    assert len(cells) > 500


def _is_found(value: Any, cells: set[str]) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, datetime):
        return local(value, "Europe/Berlin") in cells
    text = as_text(value)
    known = {text, text.upper(), text.replace("_", " ").upper()}
    if text[:4].isdigit() and "T" in text:
        known.add(local(text, "Europe/Berlin"))
    return (
        not known.isdisjoint(cells)
        or any(text in cell.split("-") for cell in cells)
        # A comment says it in words, with its unit behind it and its details after that.
        or any(f": {text} " in f"{cell} ".replace(";", " ") for cell in cells)
    )


def test_rules_of_our_own_find_nothing_where_no_mistake_was_made():
    assert checks.problems(sdtm.domains(made())) == []


def test_what_can_not_be_mapped_is_refused_by_name():
    with pytest.raises(sdtm.MappingError, match="its time zone UTC"):
        sdtm.domains(made(patients=[{**one, "site_time_zone": "UTC"} for one in _patients()]))
    strange = [{**one, "unit": "furlong"} for one in made().rows("findings")]
    with pytest.raises(sdtm.MappingError, match="TR: the unit 'furlong'"):
        sdtm.domains(made(findings=strange))
    elsewhere = [{**one, "region_kind": "tail"} for one in made().rows("regions")]
    with pytest.raises(sdtm.MappingError, match="region 'tail'"):
        sdtm.domains(made(regions=elsewhere))


def _patients() -> list[dict[str, Any]]:
    return [dict(one) for one in made().rows("patients")]


def test_a_cancelled_scan_did_not_occur_and_a_planned_one_is_not_told_yet():
    rows = [
        scan(41, "68Ga-Pentixafor", injected_at=None, state="cancelled"),
        scan(42, "18F-FDG", injected_at=None, state="scheduled"),
    ]
    empty = {"findings": [], "pairs": [], "responses": []}
    found = {one.name: one.records() for one in sdtm.domains(made(scans=rows, **empty))}
    assert [
        (one["PRSPID"], one["PROCCUR"]) for one in found["PR"] if one["PRCAT"] == "IMAGING"
    ] == [("41", "N")]
    assert not found["EX"]
    assert next(one for one in found["DM"] if one["USUBJID"] == SUBJECT)["RFSTDTC"] == ""


def _visits(*scans: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The first patient's visits that the scans alone tell of, with their dates."""
    kept = ("patients", "consents")
    empty: dict[str, Any] = {name: [] for name in made().tables if name not in kept}
    source = made(**{**empty, "scans": list(scans)})
    found = {one.name: one.records() for one in sdtm.domains(replace(source, forms={}))}
    return {
        one["VISIT"]: (one["SVSTDTC"], one["SVOCCUR"])
        for one in found["SV"]
        if one["USUBJID"] == SUBJECT
    }


def test_a_visit_whose_only_scan_was_cancelled_is_not_told_as_one_that_occurred():
    told = _visits(scan(41, "68Ga-Pentixafor", injected_at=None, state="cancelled"))
    assert told == {"SCREENING": ("2026-02-20", "Y")}


def test_a_visit_at_which_the_scan_was_aborted_after_the_injection_occurred():
    aborted = scan(41, "68Ga-Pentixafor", state="cancelled", uptake_minutes=None,
                   weight_kg=None, height_cm=None)  # fmt: skip
    assert _visits(aborted)["FIRST PET"] == ("2026-03-02T10:15:00", "Y")


def _criteria(*expressions: dict[str, Any], **more: Any) -> dict[str, tuple[str, str]]:
    """Ages and sex of TS with the codes of their terms, of a trial of these inclusions."""
    known = {"category": "inclusion", "text": "Text", "gate": "enrolment", **more}
    criteria = [
        {"identifier": f"I{number}", "expression": one, **known}
        for number, one in enumerate(expressions, 1)
    ]
    version = sdtm.Version(1, "1.0", {**sdtm_trial.definition(), "criteria": criteria})
    source = sdtm.Source("NCT0", NOW, (version,), {}, {})
    found = next(one for one in sdtm.domains(source) if one.name == "TS").records()
    return {one["TSPARMCD"]: (one["TSVAL"] or one["TSVALNF"], one["TSVALCD"]) for one in found}


def _age(op: str, **values: Any) -> dict[str, Any]:
    return {"op": op, "var": "age_years", "at": "consent", **values}


WOMEN = {"op": "eq", "var": "sex_at_birth", "value": "F"}


@pytest.mark.parametrize(
    ("expressions", "low", "high"),
    [
        ([_age("ge", value=18)], "P18Y", "PINF"),
        ([_age("gt", value=17), _age("lt", value=80)], "P18Y", "P79Y"),
        ([{"op": "all", "of": [_age("ge", value=18), _age("le", value=75)]}], "P18Y", "P75Y"),
        ([_age("between", low=18, high=64), _age("ge", value=21)], "P21Y", "P64Y"),
        # One of several that are enough is asked of nobody.
        ([{"op": "any", "of": [_age("ge", value=18), WOMEN]}], "UNK", "PINF"),
    ],
)
def test_the_ages_of_a_trial_are_whole_years_that_its_inclusions_let_in(expressions, low, high):
    found = _criteria(*expressions)
    assert (found["AGEMIN"][0], found["AGEMAX"][0]) == (low, high)


def test_the_sex_of_a_trial_is_what_an_inclusion_asks_of_every_patient():
    assert _criteria(_age("ge", value=18))["SEXPOP"] == ("BOTH", "C49636")
    both = {"op": "all", "of": [WOMEN, _age("ge", value=18)]}
    assert _criteria(both)["SEXPOP"] == ("F", "C16576")
    assert _criteria({**WOMEN, "value": "M"})["SEXPOP"] == ("M", "C20197")
    assert _criteria({**WOMEN, "value": "M"}, category="exclusion")["SEXPOP"][0] == "BOTH"
    assert _criteria(WOMEN, applies_to=_age("ge", value=18))["SEXPOP"][0] == "BOTH"


def test_an_epoch_is_empty_only_where_its_date_does_not_tell(domains):
    first = local(INJECTED, "Europe/Berlin")
    for name, rows in domains.items():
        for one in rows:
            at = one.get(f"{name}STDTC") or one.get(f"{name}DTC") or ""
            if one.get("EPOCH") == "" and one["USUBJID"] == SUBJECT and name not in ("SE", "TA"):
                tells = len(at) >= 10 and at >= "2026-02-20" and at != first[:10]
                assert not tells, (name, at)


def test_a_moment_after_the_last_scan_is_follow_up(domains):
    late = INJECTED + timedelta(days=6)
    assert {one["EPOCH"] for one in domains["TU"]} == {"TREATMENT"}
    assert of(domains, "SE", ETCD="FUP", USUBJID=SUBJECT)["SESTDTC"] < local(late, "Europe/Berlin")
