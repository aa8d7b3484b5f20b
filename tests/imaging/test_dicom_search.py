"""A search over DICOMweb is understood as the standard says it, or refused by name."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.dicom_search import MOST, Days, SearchError, attributes, search


def test_keys_are_keywords_or_tags():
    by_keyword, by_tag = search([("PatientID", "101-001")]), search([("00100020", "101-001")])
    assert by_keyword == by_tag
    assert by_keyword.patterns == {"PatientID": r"101\-001"}


@pytest.mark.parametrize(
    ("pattern", "value", "is_match"),
    [
        ("101-*", "101-001", True),
        ("101-*", "1010-001", False),
        ("*-001", "101-001", True),
        ("101-00?", "101-001", True),
        ("101-00?", "101-0011", False),
        ("1.1-001", "101-001", False),
    ],
)
def test_wildcards_match_as_in_the_standard(pattern, value, is_match):
    expression = search([("PatientID", pattern)]).patterns["PatientID"]
    assert bool(re.fullmatch(expression, value)) == is_match


def test_a_list_of_uids_is_any_of_them():
    several = search([("StudyInstanceUID", "1.2,1.3"), ("StudyInstanceUID", "1.4\\1.5")])
    assert several.exact == {"StudyInstanceUID": ("1.2", "1.3", "1.4", "1.5")}


def test_the_path_narrows_what_the_query_asks():
    assert search([], within={"StudyInstanceUID": "1.2"}).exact == {"StudyInstanceUID": ("1.2",)}
    other = search([("StudyInstanceUID", "1.3")], within={"StudyInstanceUID": "1.2"})
    assert other.matches_nothing
    assert not search([("0020000D", "1.2")], within={"StudyInstanceUID": "1.2"}).matches_nothing


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("20260301", Days(date(2026, 3, 1), date(2026, 3, 1))),
        ("20260301-20260303", Days(date(2026, 3, 1), date(2026, 3, 3))),
        ("20260301-", Days(date(2026, 3, 1), None)),
        ("-20260303", Days(None, date(2026, 3, 3))),
    ],
)
def test_days_are_one_or_a_range(text, days):
    assert search([("StudyDate", text)]).study_date == days


@pytest.mark.parametrize("value", ["", "*", "**"])
def test_a_universal_key_asks_for_nothing(value):
    keys = ["PatientID", "StudyDate", "StudyInstanceUID", "AccessionNumber"]
    assert search([(key, value) for key in keys]) == search([])


def test_what_every_image_lacks_matches_nothing():
    assert search([("AccessionNumber", "A1")]).matches_nothing
    assert search([("StudyID", "*")]) == search([])


def test_pages_are_bounded():
    assert (search([]).limit, search([("limit", "99999")]).limit) == (MOST, MOST)
    few = search([("limit", "0"), ("offset", "7")])
    assert (few.limit, few.offset) == (0, 7)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("Rows", "4", "no search by Rows. There is one by StudyInstanceUID"),
        ("nonsense", "4", "no search by nonsense"),
        ("00280010", "4", "no search by 00280010"),
        ("StudyDate", "2026-03-01", "YYYYMMDD"),
        ("StudyDate", "20260230", "YYYYMMDD"),
        ("StudyInstanceUID", "1.2;drop", "must be UIDs"),
        ("StudyInstanceUID", ",".join(["1.2"] * 401), "400 at most"),
        ("PatientID", "x" * 65, "longer than 64"),
        ("PatientID", "a\0", "NUL"),
        ("limit", "-1", "whole number"),
        ("offset", "1" * 10, "whole number"),
        ("includefield", "Nonsense", "no attribute of DICOM"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(name, value, sentence):
    with pytest.raises(SearchError) as error:
        search([(name, value)])
    assert sentence in str(error.value)


def test_fields_are_keywords_or_tags_one_by_one_or_listed():
    several = "all,StudyDescription,00080060,00081199.00081150"
    assert search([("includefield", several), ("fuzzymatching", "false")]) == search([])


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=80)), max_size=4))
def test_any_query_is_a_search_or_a_refusal(query):
    known = ["PatientID", "StudyDate", "SOPInstanceUID", "limit", "includefield", "Modality"]
    for names in ([name for name, _ in query], known):
        with suppress(SearchError):
            found = search(list(zip(names, (value for _, value in query), strict=False)))
            assert all(map(re.compile, found.patterns.values()))


def test_results_are_data_sets_to_other_readers():
    values = {"PatientName": "101-001", "NumberOfSeriesRelatedInstances": 3, "StudyID": None}
    ds = pydicom.Dataset.from_json(attributes(values | {"ModalitiesInStudy": ["CT", "PT"]}))
    assert (ds.PatientName, ds.NumberOfSeriesRelatedInstances) == ("101-001", 3)
    assert (list(ds.ModalitiesInStudy), ds.StudyID) == (["CT", "PT"], "")
