"""define.xml, held to the schema of CDISC, to its terminology and to the rows that it is of."""

from __future__ import annotations

import gzip
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import odmlib.define_loader as loader
import odmlib.loader as readers
import pytest
from lxml import etree, html

from reporting import sdtm
from reporting.blinding import Blinding
from reporting.define import (
    Codelist,
    Item,
    Origin,
    Standard,
    Study,
    Table,
    Term,
    ValueLevel,
    document,
    page,
    terminology,
    written,
)
from reporting.formats import FORMATS, About
from reporting.formats.staged import Stage
from reporting.odm.xml import ForbiddenCharacterError
from reporting.sdtm import described
from reporting.sdtm.tables import dataset
from reporting.services import standards
from tests.reporting import sdtm_trial
from trials.services import jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
STUDY = Study(
    name="DEMO",
    description="Pentixafor against FDG",
    protocol="DEMO",
    export=12,
    as_of=datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
    software="0.1.0",
)
SPACE = {"o": "http://www.cdisc.org/ns/odm/v1.3", "def": "http://www.cdisc.org/ns/def/v2.1"}
DEF = f"{{{SPACE['def']}}}"
TYPES = {
    "integer": re.compile(r"[+-]?\d+"),
    "float": re.compile(r"[+-]?\d+(\.\d+)?"),
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "datetime": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"),
    "partialDate": re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"),
    "partialDatetime": re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?)?"),
    "durationDatetime": re.compile(r"-?P[0-9YMDTHSW.]+"),
    "text": re.compile(r"(?s).*"),
}


@pytest.fixture(scope="module")
def domains():
    return [one for one in sdtm.domains(sdtm_trial.made()) if one.rows]


@pytest.fixture(scope="module")
def content(domains):
    return written(STUDY, described.STANDARDS, described.described(domains, "xpt"))


@pytest.fixture(scope="module")
def root(content):
    return etree.fromstring(content)


@pytest.fixture(scope="module")
def items(root):
    """Definitions of items by their identifiers."""
    return {one.get("OID"): one for one in root.iterfind(".//o:ItemDef", SPACE)}


@pytest.fixture(scope="session")
def schema(reference_data):
    """The schema of Define-XML 2.1, as CDISC publishes it."""
    folder = reference_data / "../cdisc/schema/define21/cdisc-define-2.1"
    return etree.XMLSchema(etree.parse(folder / "define2-1-0.xsd"))


@pytest.fixture(scope="session")
def published(reference_data):
    """CDISC's lists by their names: code, whether they may be extended, codes of terms by value."""
    path = reference_data / "../cdisc/data/sdtmct-2025-03-28.json.gz"
    with gzip.open(path) as file:
        lists = json.load(file)["codelists"]
    return {
        one["submissionValue"]: (
            one["conceptId"],
            str(one["extensible"]).lower() == "true",
            {term["submissionValue"]: term["conceptId"] for term in one["terms"]},
        )
        for one in lists
    }


def texts(domain, name):
    return [str(one[name]) for one in domain.records() if one[name] not in (None, "")]


def test_the_schema_of_cdisc_takes_it(root, schema):
    schema.assertValid(root)


def test_its_page_shows_each_variable_list_method_and_comment(content, root):
    named = root.getroottree().getroot().getprevious()
    assert 'href="define.xsl"' in named.text
    shown_as = page.page(content)
    assert shown_as.startswith(b"<!DOCTYPE html")
    shown_page = html.fromstring(shown_as)
    shown = {one.get("id") for one in shown_page.iter() if one.get("id")}
    wanted = [*root.iterfind(".//o:ItemGroupDef", SPACE), *root.iterfind(".//o:CodeList", SPACE)]
    wanted += [*root.iterfind(".//o:MethodDef", SPACE), *root.iterfind(".//def:CommentDef", SPACE)]
    assert {one.get("OID") for one in wanted} <= shown
    targets = {
        one.get("href")[1:] for one in shown_page.iter("a") if one.get("href").startswith("#")
    }
    assert targets <= shown
    rows = [one for one in shown_page.iter("tr") if one.find("td") is not None]
    values = len(root.findall(".//def:ValueListDef/o:ItemRef", SPACE))
    variables = len(root.findall(".//o:ItemGroupDef/o:ItemRef", SPACE))
    assert sum(len(row.findall("td")) == 6 and row.get("class") is not None for row in rows) == (
        values + variables
    )


def test_odmlib_reads_the_same_datasets_and_variables_from_it(tmp_path, content, domains):
    (tmp_path / "define.xml").write_bytes(content)
    reader = readers.ODMLoader(
        loader.XMLDefineLoader(model_package="define_2_1", ns_uri=SPACE["def"])
    )
    reader.open_odm_document(str(tmp_path / "define.xml"))
    metadata = reader.MetaDataVersion()
    names = {one.OID: one.Name for one in metadata.ItemDef}
    read = {one.Name: [names[ref.ItemOID] for ref in one.ItemRef] for one in metadata.ItemGroupDef}
    assert read == {one.name: [each.name for each in one.variables] for one in domains}
    assert [(one.Name, one.Version) for one in metadata.Standards.Standard] == [
        ("SDTMIG", "3.4"),
        ("CDISC/NCI", "2025-03-28"),
    ]


def test_each_identifier_that_is_referred_to_is_defined_once(root):
    defined = [
        one.get("OID") or one.get("ID") for one in root.iter() if one.get("OID") or one.get("ID")
    ]
    assert len(defined) == len(set(defined))
    referred = {
        value
        for one in root.iter()
        for name, value in one.attrib.items()
        if name.endswith(("OID", "ArchiveLocationID")) and name not in ("OID", "FileOID")
    }
    assert referred <= set(defined)
    unused = {
        one
        for one in set(defined) - referred
        if one.startswith(("IT.", "CL.", "MT.", "COM.", "WC."))
    }
    assert unused == set()


def test_every_value_is_of_the_type_and_length_that_its_variable_states(domains, items):
    wrong = []
    for domain in domains:
        for variable in domain.variables:
            stated = items[f"IT.{domain.name}.{variable.name}"]
            kind, length = stated.get("DataType"), stated.get("Length")
            for value in texts(domain, variable.name):
                plain = value.removesuffix(".0") if variable.type == "Num" else value
                if not TYPES[kind].fullmatch(plain) or (length and len(plain) > int(length)):
                    wrong.append((stated.get("OID"), kind, length, value))
    assert wrong == []


def test_every_value_is_of_the_type_that_its_test_or_qualifier_states(root, domains, items):
    conditions = {
        one.get("OID"): one.find("o:RangeCheck", SPACE)
        for one in root.iterfind(".//def:WhereClauseDef", SPACE)
    }
    by_name = {one.name: one for one in domains}
    told = {}
    for valued in root.iterfind(".//def:ValueListDef", SPACE):
        _, dataset, name = valued.get("OID").split(".")
        for ref in valued:
            check = conditions[ref.find("def:WhereClauseRef", SPACE).get("WhereClauseOID")]
            where = check.get(f"{DEF}ItemOID").split(".")[2]
            word = check.findtext("o:CheckValue", namespaces=SPACE)
            item = items[ref.get("ItemOID")]
            values = [
                str(one[name]).removesuffix(".0")
                for one in by_name[dataset].records()
                if one[where] == word and one[name] not in (None, "")
            ]
            assert values, ref.get("ItemOID")
            told[dataset, name] = told.get((dataset, name), 0) + len(values)
            for value in values:
                assert TYPES[item.get("DataType")].fullmatch(value), value
                assert len(value) <= int(item.get("Length") or 200), (ref.get("ItemOID"), value)
            assert item.find("def:Origin", SPACE) is not None
    # Not one value is of a test or qualifier that nothing is said of.
    for (dataset, name), count in told.items():
        assert count == len(texts(by_name[dataset], name)), (dataset, name)
    wanted = {(one.name, "QVAL") for one in domains if one.name.startswith("SUPP")}
    wanted |= {(one, f"{one}ORRES") for one in ("LB", "VS", "TR", "RS")}
    assert wanted <= set(told)


def test_each_list_holds_every_value_of_its_variables(root, domains, items):
    lists = {
        one.get("OID"): {each.get("CodedValue") for each in one.iter() if each.get("CodedValue")}
        for one in root.iterfind(".//o:CodeList", SPACE)
        if one.find("o:ExternalCodeList", SPACE) is None
    }
    missing = []
    for domain in domains:
        for variable in domain.variables:
            ref = items[f"IT.{domain.name}.{variable.name}"].find("o:CodeListRef", SPACE)
            if ref is None or ref.get("CodeListOID") not in lists:
                assert variable.codelist is None or not texts(domain, variable.name), variable.name
                continue
            # A standard result may be a number or words of its own.
            if not variable.name.endswith("STRESC"):
                known = lists[ref.get("CodeListOID")]
                missing += [one for one in texts(domain, variable.name) if one not in known]
    assert missing == []


def test_codes_of_lists_and_terms_are_those_of_the_thesaurus(published):
    for name, known in terminology.known().items():
        code, is_extensible, terms = published[name]
        assert (known.code, known.is_extensible) == (code, is_extensible), name
        assert {one: terms.get(one) for one in known.terms} == dict(known.terms), name


def test_no_term_of_cdisc_is_called_our_own(root, published):
    """Of the mapping and of the forms that are shipped: those that a trial brings are not known."""
    by_code = {code: terms for code, _, terms in published.values()}
    for one in root.iterfind(".//o:CodeList", SPACE):
        code = one.find("o:Alias", SPACE)
        if code is not None:
            own = {each.get("CodedValue") for each in one if each.get(f"{DEF}ExtendedValue")}
            assert own & set(by_code[code.get("Name")]) == set(), one.get("OID")


def test_the_traps_of_units_and_terms_are_explained_where_they_are(root, items):
    comments = {
        one.get("OID"): "".join(one.itertext()) for one in root.iterfind(".//def:CommentDef", SPACE)
    }
    units = comments[items["IT.TR.TRSTRESU"].get(f"{DEF}CommentOID")]
    assert "g/mL" in units
    assert "kg/L" in units
    tests = comments[items["IT.TR.TRTESTCD"].get(f"{DEF}CommentOID")]
    assert all(word in tests for word in ("MTV", "TLG", "TBR", "SEGMTHD", "REFREG"))
    own = root.find(".//o:CodeList[@OID='CL.TRTESTCD.TR']/*[@CodedValue='TLU']", SPACE)
    assert own.get(f"{DEF}ExtendedValue") == "Yes"
    assert own.find("o:Alias", SPACE) is None


def test_what_is_computed_says_how(root):
    methods = {
        one.get("OID"): "".join(one.itertext()) for one in root.iterfind(".//o:MethodDef", SPACE)
    }

    def said(item):
        ref = root.find(f".//o:ItemRef[@ItemOID='{item}']", SPACE)
        return methods[ref.get("MethodOID")]

    assert "half-life" in said("IT.EX.EXDOSE")
    assert "body weight" in said("IT.TR.TRSTRESN.TRTESTCD.SUVMAX")
    assert "REFREG" in said("IT.TR.TRORRES.TRTESTCD.TBRMAX")
    assert "less the injection" in said("IT.SUPPPR.QVAL.QNAM.UPTKTM")
    assert "no day 0" in said("IT.TR.TRDY")
    derived = {
        item.get("OID")
        for item in root.iterfind(".//o:ItemDef", SPACE)
        if item.find("def:Origin[@Type='Derived']", SPACE) is not None
    }
    with_method = {
        one.get("ItemOID") for one in root.iterfind(".//o:ItemRef", SPACE) if one.get("MethodOID")
    }
    assert derived - with_method == set()


def test_the_same_rows_give_the_same_bytes(content, domains):
    again = written(STUDY, described.STANDARDS, described.described(domains, "xpt"))
    assert again == content


def adsl(**changed):
    """A dataset of another standard, by hand."""
    sex = Codelist("SEX", "Sex", (Term("F", "Female", "C16576"),), "C66731", "CT.ADaM")
    predecessor = (Origin("Predecessor", text="DM.SEX"),)
    weight = ValueLevel("PARAMCD.W", (("SEX", "F"),), Item("AVAL", "Weight (kg)", "float", 5, 1))
    given = {
        "name": "ADSL",
        "label": "Subject-Level Analysis Dataset",
        "domain": "ADSL",
        "structure": "One record per subject",
        "klass": "SUBJECT LEVEL ANALYSIS DATASET",
        "keys": ("SEX",),
        "items": (
            Item("SEX", "Sex", "text", 1, origins=predecessor, codelist=sex, is_mandatory=True),
            Item("AVAL", "Value", "float", 5, 1, values=(weight,)),
        ),
        "href": "adsl.xpt",
        "standard": "ADaMIG",
        "purpose": "Analysis",
        "is_repeating": False,
    }
    return Table(**{**given, **changed})


ADAM = (
    Standard("ADaMIG", "ADaMIG", "IG", "1.3"),
    Standard("CT.ADaM", "CDISC/NCI", "CT", "2025-03-28", "ADaM"),
)


def test_datasets_of_analysis_are_described_by_the_same_words(schema):
    root = etree.fromstring(written(STUDY, ADAM, [adsl()]))
    schema.assertValid(root)
    origin = root.find(".//o:ItemDef[@OID='IT.ADSL.SEX']/def:Origin", SPACE)
    assert (origin.get("Type"), "".join(origin.itertext())) == ("Predecessor", "DM.SEX")


def test_a_description_that_does_not_hold_together_is_refused():
    with pytest.raises(ValueError, match="no standard is called ADaMIG"):
        written(STUDY, described.STANDARDS, [adsl()])
    other = Codelist("SEX", "Sex", (Term("M"),))
    items = (*adsl().items, Item("SEX2", "Sex", "text", 1, codelist=other))
    with pytest.raises(ValueError, match="two lists are called SEX"):
        written(STUDY, ADAM, [adsl(items=items)])
    with pytest.raises(ForbiddenCharacterError, match=r"U\+0007"):
        written(STUDY, ADAM, [adsl(label="A bell \a")])
    assert document.DEFINE_VERSION == "2.1.0"


def test_dataset_json_of_the_same_export_names_the_same_things(tmp_path, root, domains):
    defined = {one.get("OID") for one in root.iter() if one.get("OID")}
    dm = next(one for one in domains if one.name == "DM")
    stage = Stage(dataset(dm), tmp_path / "rows.arrow")
    for _ in stage.batches(dm.rows):
        pass
    target = io.BytesIO()
    about = About(study=STUDY.name, export=STUDY.export, as_of=STUDY.as_of, software="0.1.0")
    FORMATS["sdtm-json"].write(stage.staged(), target, about)
    found = json.loads(target.getvalue())
    names = {found["studyOID"], found["metaDataVersionOID"], found["itemGroupOID"]}
    assert names | {one["itemOID"] for one in found["columns"]} <= defined


@pytest.mark.django_db
def test_an_export_has_it_beside_the_files_that_it_names(schema):
    trial = protocols.load_trial(DEMO, by=jobs.system_user()).trial
    about = About(study=trial.identifier, export=12, as_of=STUDY.as_of, software="0.1.0")
    for names, suffix in ((["sdtm-json", "sdtm-xpt"], "xpt"), (["sdtm-json"], "json")):
        with standards.Standards(trial, about, Blinding()) as made:
            found = made.made("sdtm", [FORMATS[one] for one in names])
        content = {path: b"".join(chunks) for path, _, chunks in found.texts}["sdtm/define.xml"]
        root = etree.fromstring(content)
        schema.assertValid(root)
        leaves = [one.get("{http://www.w3.org/1999/xlink}href") for one in root.iter(f"{DEF}leaf")]
        assert leaves == [f"{one.name.lower()}.{suffix}" for one, _ in found.tables]
        assert root.findtext(".//o:StudyDescription", namespaces=SPACE) == trial.title
