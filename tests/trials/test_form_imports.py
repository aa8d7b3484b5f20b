"""Values of forms out of a file: read, shown, confirmed, entered whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from trials.models import AuditEvent, FormEntry, FormImport, ItemValue, Query
from trials.roles import Role
from trials.selectors import form_entries as selectors
from trials.services import form_entries, form_imports, form_reviews, jobs, protocols, queries
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
HEAD = "patient,visit,consent_day_age,height_cm,weight_kg\n"


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def data_manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


@pytest.fixture
def coordinator(site):
    user = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    factories.delegate(user, site)
    return user


@pytest.fixture
def patients(site, coordinator):
    return [factories.make_enrolled(site, by=coordinator) for _ in range(2)]


@pytest.fixture
def send(site, data_manager):
    def sent(text, form="demographics", import_id="1", **reading):
        content = text if isinstance(text, bytes) else text.encode()
        return form_imports.receive(
            site.trial,
            form=form,
            content=content,
            file_name="values.csv",
            source="Hospital system",
            import_id=import_id,
            by=data_manager,
            reading=reading,
        )

    return sent


@pytest.fixture
def enter(send, data_manager):
    def entered(text, reason="", **options):
        row = send(text, **options)
        return form_imports.confirm(row, digest=row.plan_sha256, reason=reason, by=data_manager)

    return entered


def told(row):
    """What a plan says of each line, with its errors by column."""
    return [
        (one["line"], one["act"], {e["column"]: e["message"] for e in one.get("errors", [])})
        for one in row.plan["rows"]
    ]


def typed(patient, coordinator, **given):
    values = {"consent_day_age": "61", "height_cm": "174", "weight_kg": "70"} | given
    entry = form_entries.begin(patient, form="demographics", visit="SCREEN", by=coordinator)
    return form_entries.complete(entry, given=values, revision=1, by=coordinator)


def test_a_file_is_shown_before_it_is_entered_and_each_value_knows_its_line(patients, enter, send):
    first, second = patients
    text = f"{HEAD}{first},SCREEN,61,174,70.5\n{second},SCREEN,44,214,80\n"
    row = send(text)
    assert row.counts == {"new": 2, "changed": 0, "equal": 0, "refused": 0}
    assert row.plan["rows"][0]["changes"][2] == {
        "item": "weight_kg",
        "label": "Body weight",
        "before": "",
        "after": "70.5 kg",
    }
    assert not FormEntry.objects.exists()
    done = enter(text, import_id="2")
    assert done.state == "done"
    value = ItemValue.objects.get(entry__patient=first, item="weight_kg")
    assert (value.value, value.imported_line.number) == (70.5, 2)
    assert value.imported_line.form_import == done
    # 214 cm is outside of what is usual: kept and asked about, as when it is typed.
    assert Query.objects.get().text.startswith("Height 214.0 cm")
    event = AuditEvent.objects.get(table="trials_itemvalue", row=str(value.pk))
    assert (event.action, event.patient) == ("form.imported", first.pk)
    assert event.reason == "import 2 of Hospital system (values.csv, line 2)"


def test_what_changes_is_shown_and_goes_the_way_of_a_correction(
    site, patients, coordinator, send, enter
):
    entry = typed(patients[0], coordinator)
    monitor = factories.make_user(Role.MONITOR, trial=site.trial, site=site)
    row = entry.values.get(item="weight_kg")
    query = queries.open_query(row, text="Which scale?", by=monitor)
    form_reviews.verify(entry, seen={row: form_reviews.digest_of(row)}, by=monitor)
    text = f"{HEAD}{patients[0]},SCREEN,61,,72\n"
    (planned,) = send(text).plan["rows"]
    (change,) = planned["changes"]
    assert (planned["act"], change["before"], change["after"]) == ("changed", "70.0 kg", "72.0 kg")
    assert change["is_verified"]
    with pytest.raises(Invalid, match="Say why"):
        enter(text, import_id="2")
    enter(text, import_id="3", reason="weighed again")
    opened = selectors.opened(selectors.rows().get(pk=entry.pk))
    field = next(one for one in opened.fields if one.item.identifier == "weight_kg")
    assert [one.shown for one in field.history] == ["70.0 kg", "72.0 kg"]
    assert field.history[0].line is None
    assert field.history[1].line.number == 2
    assert field.queries == (query,)
    assert not field.is_verified
    # An empty cell empties nothing.
    assert entry.values.get(item="height_cm").value == 174


def test_rows_say_by_line_and_column_what_to_mend_and_nothing_is_entered(
    patients, data_manager, send
):
    first, second = patients
    rows = [
        f"{first},SCREEN,61,174",
        f"{first},SCREEN,61,174,seventy",
        f"{first},SCREEN,61,174,70",
        "999,SCREEN,61,174,70",
        f'{second},NOWHERE,61,174,"70,5"',
        f"{second},SCREEN,130,174,70\x07",
    ]
    row = send(HEAD + "\n".join(rows))
    found = told(row)
    assert [(line, act) for line, act, _ in found] == [(n, "refused") for n in range(2, 8)]
    assert "4 cells for 5 columns" in found[0][2][""]
    assert found[1][2] == {"weight_kg": "Body weight is a number such as 36.5, got 'seventy'."}
    assert found[2][2] == {"patient": "Line 3 is of the same form of this patient already."}
    assert found[3][2] == {"patient": "The trial has no patient '999'."}
    assert found[4][2] == {"visit": "Demographics is asked at: SCREEN; got 'NOWHERE'."}
    assert found[5][2] == {"": "Column weight_kg has a control character: take it out."}
    with pytest.raises(Refused, match="6 rows are refused"):
        form_imports.confirm(row, digest=row.plan_sha256, by=data_manager)


def test_a_comma_and_a_date_of_another_spelling_are_refused_until_declared(patients, send):
    head = "patient;repeat;term;started_on;is_ongoing;is_treated\n"
    text = f"{head}{patients[0]};1;Gicht;03.02.2019;yes;-99\n"
    (planned,) = send(text, form="medical_history").plan["rows"]
    assert [one["column"] for one in planned["errors"]] == ["started_on", "is_treated"]
    declared = {"date_order": "dmy", "missing": "-99=NK"}
    (planned,) = send(text, form="medical_history", **declared).plan["rows"]
    assert planned["given"]["started_on"] == "2019-02-03"
    assert planned["given"]["is_treated"] == {"missing": "NK", "reason": ""}
    text = f"patient;visit;weight_kg\n{patients[0]};SCREEN;70,5\n"
    (planned,) = send(text, import_id="2").plan["rows"]
    assert "declare it" in {one["column"]: one["message"] for one in planned["errors"]}["weight_kg"]


def test_the_same_file_twice_is_told_and_another_under_its_name_refused(patients, enter, send):
    text = f"{HEAD}{patients[0]},SCREEN,61,174,70\n"
    done = enter(text)
    assert send(text) == done
    assert FormEntry.objects.count() == 1
    with pytest.raises(Invalid, match="from another file"):
        send(text.replace("70", "71"))
    again = send(text, import_id="2")
    assert again.counts == {"new": 0, "changed": 0, "equal": 1, "refused": 0}
    with pytest.raises(Refused, match="nothing to enter"):
        enter(text, import_id="3")


def test_what_moved_on_since_it_was_shown_is_named_and_nothing_is_half_done(
    patients, coordinator, data_manager, send
):
    entry = typed(patients[0], coordinator)
    text = f"{HEAD}{patients[1]},SCREEN,44,160,55\n{patients[0]},SCREEN,61,174,72\n"
    row = send(text)
    form_entries.correct(
        entry, given={"height_cm": "175"}, revision=1, reason="measured", by=coordinator
    )
    with pytest.raises(Refused, match=rf"for line 3 \({patients[0]}\)"):
        form_imports.confirm(row, digest=row.plan_sha256, reason="weighed", by=data_manager)
    assert FormEntry.objects.count() == 1
    assert FormImport.objects.get(pk=row.pk).state == "read"
    with pytest.raises(Refused, match="not what was shown"):
        form_imports.confirm(row, digest="0" * 64, reason="weighed", by=data_manager)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("patient,visit\n".encode("utf-16"), "UTF-16"),
        (b"subject,visit\n1,2\n", "no column 'patient'"),
        (b"patient,visit,wieght\n1,2,3\n", "no item for the columns wieght"),
        (b"patient,patient\n1,2\n", "Columns stand twice"),
        (b'patient,visit\n"1,2\n', "quotation mark is not closed"),
        (b"patient,visit\n", "no row"),
    ],
)
def test_a_file_that_is_no_table_of_the_form_is_refused_whole(send, content, said):
    row = send(content)
    assert row.state == "refused"
    assert said in row.message


def test_what_the_truth_panel_decides_comes_from_no_file(send):
    with pytest.raises(Invalid, match="entered by the panel"):
        send("patient\n101-001\n", form="truth_of_patient")


def test_a_file_in_the_encoding_of_an_office_is_read_and_told(patients, send):
    head = "patient\trepeat\tterm\tstarted_on\tis_ongoing\tis_treated\n"
    text = f"{head}{patients[0]}\t1\tÖdem\t2019\tyes\tno\n"
    row = send(text.encode("cp1252"), form="medical_history")
    assert row.plan["rows"][0]["given"]["term"] == "Ödem"
    assert row.plan["notes"][0] == "Read as Windows-1252, columns parted by tab."
    with_mark = send(b"\xef\xbb\xbf" + text.encode(), form="medical_history")
    assert with_mark.plan["notes"][0] == "Read as UTF-8, columns parted by tab."


def test_entries_of_a_form_that_repeats_follow_each_other(patients, enter, send):
    head = "patient,repeat,term,started_on,is_ongoing,is_treated\n"
    row = f"{patients[0]},%s,Gout,2019,yes,no\n"
    assert [one[2] for one in told(send(head + row % 2, form="medical_history"))] == [
        {"repeat": "The next entry of this form is 1, got 2."}
    ]
    enter(head + row % 1 + row % 2, form="medical_history", import_id="2")
    assert list(FormEntry.objects.values_list("repeat", flat=True)) == [1, 2]


def test_a_code_without_its_reason_leaves_the_reason_that_stands(patients, coordinator, send):
    typed(patients[0], coordinator, weight_kg={"missing": "ND", "reason": "no scale"})
    text = f"patient,visit,weight_kg_missing\n{patients[0]},SCREEN,ND\n"
    assert told(send(text)) == [(2, "equal", {})]


def test_only_a_data_manager_of_the_whole_trial_sends_files(site, coordinator, patients):
    with pytest.raises(Forbidden):
        form_imports.receive(
            site.trial,
            form="demographics",
            content=b"patient\n1\n",
            file_name="a.csv",
            source="s",
            import_id="1",
            by=coordinator,
        )


def test_a_long_file_is_entered_by_a_worker(monkeypatch, patients, data_manager, send):
    monkeypatch.setattr(form_imports, "AT_ONCE_BYTES", 10)
    row = send(f"{HEAD}{patients[0]},SCREEN,61,174,70\n")
    assert row.state == "reading"
    (job,) = form_imports.jobs.Job.objects.filter(kind=form_imports.KIND)
    jobs.run(job.pk)
    row.refresh_from_db()
    form_imports.confirm(row, digest=row.plan_sha256, by=data_manager)
    assert FormEntry.objects.count() == 0
    jobs.run(form_imports.jobs.Job.objects.filter(state="queued").get().pk)
    row.refresh_from_db()
    assert (row.state, FormEntry.objects.get().state) == ("done", "complete")


def test_the_page_of_an_import_costs_the_same_for_one_row_and_for_three(
    client, site, coordinator, data_manager, patients, enter
):
    patients = [*patients, factories.make_enrolled(site, by=coordinator)]
    client.force_login(data_manager)

    def cost(number, of):
        lines = "".join(f"{one},SCREEN,61,{170 + number},70\n" for one in of)
        done = enter(HEAD + lines, reason="as measured", import_id=str(number))
        with CaptureQueriesContext(connection) as found:
            page = client.get(reverse("form_import", args=[done.pk])).content.decode()
        links = re.findall(r"/forms/\d+/\"[^>]*>Open the form", page)
        assert len(set(links)) == len(of)
        return len(found)

    cost(0, patients)
    assert cost(1, patients[:1]) == cost(2, patients)
