"""ODM files, held to the schema of CDISC and read back by lxml and odmlib, which others wrote."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import odmlib.loader as readers
import odmlib.odm_loader as loader
import pytest
from lxml import etree

from reporting import csvtext, storage
from reporting.blinding import Blinding
from reporting.formats import About
from reporting.odm import document
from reporting.odm.clinical import Audit, Change, Entry, Stood
from reporting.odm.xml import ForbiddenCharacterError, element, encoded, text
from reporting.selectors import form_rows, odm_entries
from reporting.services import exports
from tests import factories
from tests.trials.test_form_moves import AFTER, BEFORE, VALUES, amended, definition, member, moved
from tests.trials.test_truth_panel import TRUTH
from trials.item_values import Entered
from trials.models import FormEntry
from trials.roles import Role
from trials.services import form_entries, form_reviews, jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
ABOUT = About(
    study="DEMO", export=12, as_of=datetime(2026, 3, 2, 8, 15, tzinfo=UTC), software="0.1.0"
)
SPACE = {"o": "http://www.cdisc.org/ns/odm/v1.3"}
HISTORY = {
    "term": "Hypertension <stage 2> & more",
    "started_on": "2019",
    "is_ongoing": "yes",
    "is_treated": "no",
}
PREPARATION = {
    "scan_on": "2026-03-02",
    "fasted_hours": {"missing": "ND", "reason": "not asked for"},
    "insulin": "yes",
    "insulin_at": "2026-03-01T20:15+01:00",
    "insulin_route": "PUMP",
    "drugs": ["METFORMIN", "G-CSF"],
    "contrast": "NONE",
}
DEMOGRAPHICS = {"consent_day_age": "44", "height_cm": "174.5", "weight_kg": "70"}


def files(trial) -> tuple[bytes, bytes]:
    """Snapshot and transactions of a trial."""
    study = odm_entries.study(trial, form_rows.tables(trial))
    standing = odm_entries.entries(trial, with_undone=False, blinding=Blinding())
    every = odm_entries.entries(trial, with_undone=True, blinding=Blinding())
    return (
        b"".join(encoded(document.snapshot(study, standing, ABOUT))),
        b"".join(encoded(document.transactions(study, every, ABOUT))),
    )


@pytest.fixture(scope="session")
def schema(reference_data):
    """The schema of ODM 1.3.2, as CDISC publishes it."""
    folder = reference_data / "../cdisc/schema/define21/cdisc-odm-1.3.2"
    return etree.XMLSchema(etree.parse(folder / "ODM1-3-2.xsd"))


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def by(site):
    return member(Role.COORDINATOR, site)


@pytest.fixture
def patient(site, by):
    return factories.make_enrolled(site, by=by)


def filled(patient, form, given, *, by, visit="", **more):
    entry = form_entries.begin(patient, form=form, visit=visit, by=by)
    return form_entries.complete(entry, given=given, revision=1, by=by, **more)


@pytest.fixture
def history(patient, by):
    return filled(patient, "medical_history", HISTORY, by=by)


@pytest.fixture
def whole(patient, history, by):
    """A patient with a form at a visit, one at any time, and one that was corrected."""
    filled(patient, "scan_preparation", PREPARATION, by=by, visit="PET1")
    weighed = filled(patient, "demographics", DEMOGRAPHICS, by=by, visit="SCREEN")
    form_entries.correct(
        weighed, given={"weight_kg": "71.25"}, revision=1, reason="Scale was off", by=by
    )
    return weighed


def csv_cells(trial) -> dict[tuple[str, ...], str]:
    """Every cell of the tables of forms that is not empty, by patient, visit, form and column."""
    found = {}
    for table in form_rows.tables(trial).values():
        lines = csvtext.lines(table.dataset.columns, form_rows.of(table, trial))
        for row in csv.DictReader(io.StringIO(b"".join(lines).decode())):
            key = (row["patient"], row["visit"], table.form, row["repeat"])
            found |= {(*key, name): cell for name, cell in row.items() if cell}
    return found


# Columns of the CSV that the elements around the items say.
SAID_BY_ELEMENTS = {"trial", "usubjid", "site", "patient", "visit", "repeat", "protocol_version"}


def read_by_odmlib(content: bytes, folder: Path) -> dict[tuple[str, ...], str]:
    """Every value of a snapshot, as odmlib reads it."""
    path = folder / "snapshot.xml"
    path.write_bytes(content)
    open_file = readers.ODMLoader(loader.XMLODMLoader())
    open_file.open_odm_document(str(path))
    found = {}
    for clinical in open_file.root().ClinicalData:
        for subject in clinical.SubjectData:
            for event in subject.StudyEventData:
                for form in event.FormData:
                    for group in form.ItemGroupData:
                        for item in group.ItemData:
                            if item.Value is not None:
                                key = (
                                    subject.SubjectKey,
                                    event.StudyEventOID.removeprefix("SE.V.").replace(
                                        "SE.ANY_TIME", ""
                                    ),
                                    form.FormOID.removeprefix("F."),
                                    form.FormRepeatKey or "1",
                                    item.ItemOID.split(".")[-1],
                                )
                                assert key not in found
                                found[key] = item.Value
    return found


def alike(value: str) -> object:
    """A value as both files can say it: a moment is an instant, whatever its zone."""
    if len(value) > 19 and value[10:11] == "T":
        return datetime.fromisoformat(value)
    return value


@pytest.mark.django_db
def test_both_files_are_valid_by_the_schema_of_cdisc(site, whole, schema):
    for content in files(site.trial):
        schema.assertValid(etree.fromstring(content))


@pytest.mark.django_db
def test_the_schema_refuses_a_file_that_is_broken(site, whole, schema):
    content = files(site.trial)[0]
    assert not schema.validate(etree.fromstring(content.replace(b"ItemOID=", b"ItemId=")))


@pytest.mark.django_db
def test_odmlib_reads_the_values_that_the_csv_of_the_same_forms_has(site, whole, tmp_path):
    found = read_by_odmlib(files(site.trial)[0], tmp_path)
    wanted = {
        key: csvtext.unguarded(cell)
        for key, cell in csv_cells(site.trial).items()
        if key[-1] not in SAID_BY_ELEMENTS
    }
    assert {key: alike(one) for key, one in found.items()} == {
        key: alike(one) for key, one in wanted.items()
    }
    assert len(found) > 25


@pytest.mark.django_db
def test_every_reference_in_a_file_is_defined_in_it(site, whole):
    for content in files(site.trial):
        root = etree.fromstring(content)
        defined = {one.get("OID") for one in root.iter() if one.get("OID")}
        kinds = ("Ref", "Data")
        referred = {
            value
            for one in root.iter()
            if etree.QName(one).localname.endswith(kinds)
            for name, value in one.attrib.items()
            if name.endswith("OID")
        }
        assert referred - defined == set()


@pytest.mark.django_db
def test_a_value_that_is_missing_says_so_and_why(site, whole):
    root = etree.fromstring(files(site.trial)[0])
    name = "IT.scan_preparation.fasted_hours"
    (item,) = root.iterfind(f".//o:ItemData[@ItemOID='{name}']", SPACE)
    assert (item.get("IsNull"), item.get("Value")) == ("Yes", None)
    (code,) = root.iterfind(f".//o:ItemData[@ItemOID='{name}_missing']", SPACE)
    (words,) = root.iterfind(f".//o:ItemData[@ItemOID='{name}_reason']", SPACE)
    assert (code.get("Value"), words.get("Value")) == ("ND", "not asked for")


@pytest.mark.django_db
def test_units_ranges_answers_and_conditions_are_those_of_the_trial_file(site):
    root = etree.fromstring(files(site.trial)[0])
    (height,) = root.iterfind(".//o:ItemDef[@OID='IT.demographics.height_cm']", SPACE)
    checks = [
        (one.get("SoftHard"), one.get("Comparator"), one.findtext("o:CheckValue", None, SPACE))
        for one in height.iterfind("o:RangeCheck", SPACE)
    ]
    # range: {hard: {low: 30, high: 250}, soft: {low: 140, high: 210}} in trials/general_forms.yaml.
    assert checks == [
        ("Soft", "GE", "140"),
        ("Soft", "LE", "210"),
        ("Hard", "GE", "30"),
        ("Hard", "LE", "250"),
    ]
    assert height.find("o:MeasurementUnitRef", SPACE).get("MeasurementUnitOID") == "MU.cm"
    (answers,) = root.iterfind(".//o:CodeList[@OID='CL.scan_preparation.insulin_route']", SPACE)
    assert "PUMP" in [one.get("CodedValue") for one in answers]
    (condition,) = root.iterfind(".//o:ConditionDef[@OID='CD.scan_preparation.insulin_at']", SPACE)
    assert "".join(condition.itertext()).startswith("Not asked unless")


@pytest.mark.django_db
def test_a_correction_is_an_update_with_who_when_and_why(site, whole, by):
    root = etree.fromstring(files(site.trial)[1])
    assert root.get("FileType") == "Transactional"
    found = root.iterfind(".//o:ItemData[@ItemOID='IT.demographics.weight_kg']", SPACE)
    first, second = found
    assert [(one.get("TransactionType"), one.get("Value")) for one in (first, second)] == [
        ("Insert", "70.0"),
        ("Update", "71.25"),
    ]
    audit = second.find("o:AuditRecord", SPACE)
    assert audit.find("o:UserRef", SPACE).get("UserOID") == f"USR.{by.pk}"
    assert audit.find("o:LocationRef", SPACE).get("LocationOID") == f"LOC.{site.code}"
    assert audit.findtext("o:ReasonForChange", None, SPACE) == "Scale was off"
    stamp = datetime.fromisoformat(audit.findtext("o:DateTimeStamp", None, SPACE))
    assert stamp > datetime.fromisoformat(
        first.findtext("o:AuditRecord/o:DateTimeStamp", None, SPACE)
    )


@pytest.mark.django_db
def test_no_file_names_a_person(site, whole, by):
    for content in files(site.trial):
        assert str(by).encode() not in content
        assert by.username.encode() not in content


@pytest.mark.django_db
def test_the_panel_s_reasons_for_a_change_are_in_no_file(site, patient):
    """They can tell the index test and the truth; that a decision was changed is told."""
    panel = factories.make_user(Role.PANEL, trial=site.trial)
    decided = filled(patient, "truth_of_lesion", TRUTH, by=panel)
    form_entries.correct(
        decided,
        given={"truth": "ABSENT"},
        revision=1,
        reason="Uptake seen on Pentixafor",
        by=panel,
    )
    form_entries.undo(
        FormEntry.objects.get(pk=decided.pk), reason="SUVmax of 9.1 misread", by=panel
    )
    for content in files(site.trial):
        assert b"Uptake seen" not in content
        assert b"misread" not in content
    assert b"ABSENT" in files(site.trial)[1]


@pytest.mark.django_db
def test_a_signature_is_in_the_snapshot_only_while_it_stands(site, history, by):
    leader = member(Role.INVESTIGATOR, site)
    form_reviews.sign(history, revision=1, password=factories.PASSWORD, by=leader)
    (signature,) = etree.fromstring(files(site.trial)[0]).iterfind(".//o:Signature", SPACE)
    assert signature.find("o:UserRef", SPACE).get("UserOID") == f"USR.{leader.pk}"
    form_entries.correct(history, given={"started_on": "2020"}, revision=1, reason="source", by=by)
    snapshot, transactions = files(site.trial)
    assert b"<Signature>" not in snapshot
    assert transactions.count(b"<Signature>") == 1


@pytest.mark.django_db
def test_a_form_taken_back_is_in_the_transactions_alone(site, history, by):
    form_entries.undo(history, reason="wrong patient", by=by)
    snapshot, transactions = files(site.trial)
    assert b"<FormData" not in snapshot
    forms = etree.fromstring(transactions).findall(".//o:FormData", SPACE)
    assert [one.get("TransactionType") for one in forms] == ["Insert", "Remove"]
    assert forms[1].findtext(".//o:ReasonForChange", None, SPACE) == "wrong patient"


@pytest.mark.django_db
def test_the_transactions_come_to_what_stands_also_across_an_amendment(schema):
    trial = protocols.load_trial(definition(BEFORE, "1.0"), by=jobs.system_user()).trial
    site = factories.make_site(trial)
    by = member(Role.COORDINATOR, site)
    entry = filled(factories.make_enrolled(site, by=by), "event", VALUES, by=by)
    assert played(files(trial)[1]) == stands(files(trial)[0])
    moved(site, amended(site, AFTER), factories.make_user(Role.DATA_MANAGER, trial=trial))
    now = FormEntry.objects.get(pk=entry.pk)
    given = {"grade": "2", "hospital": "City"}
    form_entries.correct(now, given=given, revision=2, reason="by the source", by=by)
    snapshot, transactions = files(trial)
    for content in (snapshot, transactions):
        schema.assertValid(etree.fromstring(content))
    # 70 kg became 70000 g (the trial file of test_form_moves), the route is asked no more.
    assert stands(snapshot) == {
        "IT.event.term": "Rash",
        "IT.event.weight": "70000.0",
        "IT.event.grade": "2",
        "IT.event.location": "arm",
        "IT.event.hospital": "City",
        "IT.event.route": "skin",
    }
    assert played(transactions) == stands(snapshot)


def stands(snapshot: bytes) -> dict[str, str]:
    root = etree.fromstring(snapshot)
    items = root.iterfind(".//o:ItemGroupData", SPACE)
    return {
        one.get("ItemOID"): one.get("Value")
        for group in items
        if not group.get("ItemGroupOID").endswith(".SYSTEM")
        for one in group
    }


def played(transactions: bytes) -> dict[str, str]:
    """What the transactions come to, done in their order (ODM 1.3.2, section 2.5)."""
    found: dict[str, str] = {}
    for one in etree.fromstring(transactions).iterfind(".//o:ItemData", SPACE):
        name, kind = one.get("ItemOID"), one.get("TransactionType")
        assert (name in found) == (kind != "Insert"), (name, kind)
        if kind == "Remove":
            del found[name]
        else:
            found[name] = one.get("Value")
    return found


def measured(patients: int) -> int:
    """The most memory that writing the forms of so many patients takes, in bytes."""
    trial = protocols.load_trial(DEMO, by=jobs.system_user()).trial
    study = odm_entries.study(trial, form_rows.tables(trial))
    audit = Audit(1, "101", ABOUT.as_of, source="audit event 1")
    stood = [Stood("term", Entered("Hypertension"), 1), Stood("started_on", Entered("2019"), 1)]
    entries = (
        Entry(
            patient=f"101-{number:05}",
            site="101",
            number=1,
            form="medical_history",
            visit="",
            repeat=repeat,
            is_repeating=True,
            completed=audit,
            removed=None,
            values=stood,
            changes=[Change(None, one, True, audit) for one in stood],
            signatures=[],
            system={},
        )
        for number in range(patients)
        for repeat in range(1, 4)
    )
    tracemalloc.start()
    try:
        size = sum(map(len, encoded(document.transactions(study, entries, ABOUT))))
        assert size > patients * 3 * 500
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_patients():
    measured(10)
    assert measured(2000) < 1.2 * measured(100)


def test_a_text_survives_as_it_is_and_what_xml_cannot_hold_is_refused():
    said = 'a < b & "c"\n\td \r é 😀'
    found = etree.fromstring(element("A", {"b": said}, text(said)).encode())
    assert (found.get("b"), found.text) == (said, said)
    with pytest.raises(ForbiddenCharacterError, match=r"U\+0008"):
        text("a\bb")


def test_odm_is_a_format_of_an_export_with_its_files_in_the_manifest(made, schema):
    export = exports.request(made.trial, reason="a test", by=made.statistician, formats=["odm"])
    jobs.run(export.job)
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        for name in ("odm/snapshot.xml", "odm/transactions.xml"):
            root = etree.fromstring(archive.read(name))
            schema.assertValid(root)
            assert root.get("AsOfDateTime").startswith(f"{export.as_of:%Y-%m-%dT%H:%M:%S}")
            assert name in {one["path"] for one in export.manifest["files"]}
        assert "odm/snapshot.xml" in archive.read("README.md").decode()
