"""Trial files that are broken, hostile or odd: each loads whole or is refused with its line."""

from __future__ import annotations

import html
import json
import random
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import factories
from trials import protocol, spans, trial_yaml, usdm
from trials.models import (
    Cohort,
    ConsentVersion,
    EligibilityCriterion,
    PlannedScan,
    PlannedVisit,
    ProtocolVersion,
    Site,
    Tracer,
    Trial,
)
from trials.roles import Role
from trials.services import jobs, protocols

FOLDER = Path(protocol.__file__).parent
SCHEMA = json.loads((FOLDER / "protocol.schema.json").read_text())
FILES = sorted((FOLDER / "definitions").rglob("*.yaml"))
DEMO = (FOLDER / "definitions" / "demo.yaml").read_text()
TABLES = (
    Trial,
    ProtocolVersion,
    Site,
    ConsentVersion,
    Cohort,
    PlannedVisit,
    Tracer,
    PlannedScan,
    EligibilityCriterion,
)


def problems(text):
    """What is wrong with a text; fails with anything but a refusal."""
    with pytest.raises(protocol.ProtocolError) as refusal:
        protocol.parse(text, schema=SCHEMA)
    found = refusal.value.problems
    assert all(one.line >= 1 and 0 < len(one.message) <= 501 for one in found)
    return found


def rows():
    return {table.__name__: table.objects.count() for table in TABLES}


NO_YAML = {
    "nothing": ("", 1, "None is not of type 'object'"),
    "a python object": ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "!python/object"),
    "a set": ("a: !!set {a, b}", 1, "!set is nothing a trial file holds"),
    "bytes": ('a: 1\nb: !!binary "aGk="', 2, "!binary"),
    "an ordered map": ("a: !!omap [a: 1]", 1, "!omap"),
    "a tag of one's own": ("a: !b c", 1, "!b"),
    "a boolean that is none": ("a: 1\nb: !!bool foo", 2, "'foo' is nothing that !bool stands for"),
    "an integer of nothing": ('a: 1\nb: !!int ""', 2, "'' is nothing that !int stands for"),
    "a float of nothing": ('a: 1\nb: !!float ""', 2, "'' is nothing that !float stands for"),
    "a map of a word": ("a: 1\nb: !!map x", 2, "!map"),
    "a list of a word": ("a: 1\nb: !!seq x", 2, "!seq"),
    "a merge": ("a: &a {x: 1}\nb:\n  <<: *a", 3, "Blocks are not merged by <<"),
    "itself": ("a: &a [*a]", 1, "more than a trial can be"),
    "itself as a key": ("&a {*a : 1}", 1, "A key is a word"),
    "a list as a key": ("? [1, 2]\n: 3", 1, "A key is a word"),
    "two documents": ("a: 1\n---\nb: 2", 2, "another document"),
    "an alias of nothing": ("a: *x", 1, "undefined alias"),
    "another YAML": ("%YAML 9.9\n---\na: 1", 1, "incompatible"),
    "deep lists": ("a: " + "[" * 5000 + "]" * 5000, 1, "nested deeper"),
    "deep dashes": ("- " * 3000, 1, "nested deeper"),
    "deep enough": ("a: " + "[" * 200 + "]" * 200, 1, "more than a trial can be"),
    "NUL": ("a: 1\nb: \x00", 2, "U+0000"),
    "an escaped NUL": ('a: 1\nb: "\\0"', 2, "U+0000"),
    "a bell": ('a: "\\a"', 1, "U+0007"),
    "half a character": ('a: 1\nb: "\\ud800"', 2, "U+D800"),
    "no character": ('a: 1\nb: "\\Uffffffff"', 2, "no such character"),
    "nor this": ('a: "\\U00110000"', 1, "no such character"),
    "tabs": ("a:\n\tb: 1", 2, "cannot start any token"),
    "a number of many digits": ("a: 1\nb: " + "9" * 5000, 2, "not a number that can be kept"),
    "a float beyond all": ("a: 1.0e+400", 1, "not a number that can be kept"),
    "infinity": ("a: 1\nb: -.inf", 2, "as a decimal number"),
    "no number": ("a: .nan", 1, "as a decimal number"),
    "an octal number": ("a: 010", 1, "'010' as a decimal number"),
    "minutes": ("a: 1:30", 1, "'1:30' as a decimal number"),
    "hexadecimal": ("a: 0x1F", 1, "'0x1F' as a decimal number"),
    "digits in groups": ("a: 1_000", 1, "'1_000' as a decimal number"),
    "a key twice": ("a: 1\nb: 2\na: 3", 3, "'a' stands twice in the block at line 1."),
    "a number and a word": ('1: a\n"1": b', 2, "'1' stands twice"),
    "too much": ("#" * 999_999 + "\n#\n", 2, "at most 1,000,000 characters"),
}


@pytest.mark.parametrize(("text", "line", "sentence"), NO_YAML.values(), ids=NO_YAML)
def test_what_no_trial_file_is_has_its_line_and_its_sentence(text, line, sentence):
    assert any(one.line == line and sentence in one.message for one in problems(text))


def test_a_long_text_repeated_by_its_name_is_refused():
    bomb = f'a: &a "{"x" * 100_000}"\nb: [{",".join(["*a"] * 40_000)}]'
    assert "comes to more than a trial can be" in problems(bomb)[0].message


def test_a_key_of_very_many_stands_once():
    many = "\n".join(f"k{number}: 1" for number in range(40_000))
    found = problems(f"{many}\nk39999: 2")
    assert (found[0].line, found[0].message[:24]) == (40_001, "'k39999' stands twice in")


def test_of_many_errors_as_many_are_told_as_a_person_reads():
    changed = yaml.safe_load(DEMO)
    changed["criteria"] = [{"x" * 5000: 1}] * 400
    found = problems(yaml.safe_dump(changed))
    assert len(found) == 101
    assert any("more: mend these first." in one.message for one in found)


# Words that YAML reads as something else.


@pytest.mark.parametrize("word", ["no", "on", "1", "1.0", "2026-01-01", "null", "~"])
def test_a_key_is_the_word_that_is_written(word):
    assert list(trial_yaml.read(f"{word}: a").content) == [word]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2026-1-1", "2026-1-1"),
        ("2026-13-45", "2026-13-45"),
        ("2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00+99:99"),
        ("yes", True),
        ("Off", False),
        ("=", "="),
        ("1e3", "1e3"),
        ("-1.5e+3", -1500.0),
        ("12", 12),
        (".5", 0.5),
        ("'010'", "010"),
    ],
)
def test_a_value_is_what_is_written(written, kept):
    read = trial_yaml.read(f"a: {written}").content["a"]
    assert (read, type(read)) == (kept, type(kept))


# What the schema lets through and the record can't hold, or no calendar.


def changed_demo(path, value):
    inner = changed = yaml.safe_load(DEMO)
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return yaml.safe_dump(changed, sort_keys=False)


def said(text):
    return {"text": text, "source": ["DEMO"]}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["identifier"], "DEMO\n", "does not match"),
        (["criteria", 0, "identifier"], "I1\n", "does not match"),
        (["sites", 0, "code"], "101\n", "does not match"),
        (["acronym"], said("x" * 41), "acronym has at most 40 characters, got 41"),
        (["phase"], said("x" * 81), "phase has at most 80"),
        (["phase"], said("x" * 40) | {"conflict": [said("y" * 40)]}, "phase has at most 80"),
        (["status"], said("x" * 121), "status has at most 120"),
        (["cohorts", 0, "cap"], 2_147_483_648, "is greater than the maximum"),
        (["planned_scans", 0, "coverage"], {"text": "x" * 121}, "is too long"),
        (["visits", 1, "target"], "P0000000000000000000000001D", "is too long"),
        (["visits", 1, "target"], "P9999Y", "a duration is written as"),
        (["visits", 1, "target"], "P٣D", "a duration is written as"),
        (["consent_versions", 0, "languages"], ["de", "de"], "non-unique"),
        (["consent_versions", 0, "valid_from"], "2026-02-30", "2026-02-30 is no day."),
        (["consent_versions", 0, "valid_from"], "٢٠٢٦-01-01", "does not match"),
        (
            ["dates"],
            [{"event": "start", "date": "2026-13", "type": "actual", "source": ["DEMO"]}],
            "2026-13 is no date of the calendar.",
        ),
        (
            ["amendment"],
            {"number": "1", "date": "2026-02-30", "summary": "x", "source": ["DEMO"]},
            "2026-02-30 is no date of the calendar.",
        ),
        (
            ["criteria", 0, "expression"],
            {
                "op": "occurred",
                "var": "therapy.anticancer",
                "window": {"anchor": "imaging", "from": "-P99999Y"},
            },
            "window.from must be a duration",
        ),
    ],
)
def test_what_could_not_be_kept_is_refused_before_it_is_written(path, value, sentence):
    assert any(sentence in one.message for one in problems(changed_demo(path, value)))


@pytest.mark.parametrize("text", ["P999Y999M9999W99999DT999999H", "-P999Y999M9999W99999DT999999H"])
def test_the_longest_duration_leaves_the_calendar_of_nobody(text):
    assert spans.is_duration(text)
    assert spans.shifted(factories.NOON, text, spans.UTC)


# Two dates of one event.


def test_a_second_row_of_the_same_name_is_told_when_it_changes():
    start = {"event": "start", "date": "2026-01", "type": "planned", "source": ["DEMO"]}
    first, second, later = (
        protocol.parse(changed_demo(["dates"], dates), schema=SCHEMA)
        for dates in (
            [start],
            [start, start | {"date": "2026-02", "type": "actual"}],
            [start | {"date": "2026-03"}, start | {"date": "2026-02", "type": "actual"}],
        )
    )
    assert protocol.difference(first, second) == ["Date start (2) is added."]
    assert protocol.difference(second, first) == ["Date start (2) is removed."]
    assert protocol.difference(second, later) == ["Date start, date: was 2026-01, is 2026-03."]


def test_true_in_place_of_one_is_a_change():
    one, other = (
        protocol.parse(
            changed_demo(["facts"], [{"about": "x", "value": value, "source": ["DEMO"]}]),
            schema=SCHEMA,
        )
        for value in (1, True)
    )
    assert len(protocol.difference(one, other)) == 1


# Mutations of the shipped files.

ODD = [
    *(None, True, False, 0, -1, 1, 1.5, 10**14, 10**16, 1e308, float("inf"), float("nan")),
    *("", "x", "x" * 90, "x" * 130, "x" * 3000, "null", "no", "1", "DEMO\n", "PTF\n", "é", "\x07"),
    *("P1D", "P9Y", "P999Y", "P9999Y", "-P99999999Y", "P12M", "P1D\n", "PT9999999H", "P1D/P2D"),
    *("2026-02-30", "2026-13", "0000-01-01", "2026-01-01", "\u202e", "<script>", "../../etc"),
    *([], {}, [[]], [None], [1], [""], ["x"], [{}], {"a": 1}, ["M", "F"], [["M"]], ["de", "de"]),
    *({"op": "all", "of": []}, {"op": "not", "of": {"op": "consent"}}, {"anchor": "imaging"}),
    *({"text": "t", "source": ["DEMO"]}, {"low": 5, "high": 1}, {"low": 10**300}),
    *("scan.tracer", "age_years", "glucose", "therapy.anticancer", "able_to_bear_children"),
    *("mg/dL", "visit.PET1", "imaging", "gate", "consent", "per_scan", "conflict", "M", "DEMO"),
    *("Europe/Berlin", "localtime", "ge", "eq", "in", "in_any", "between", "occurred", "before"),
    *("time_since_gt", "attested", "lab_eq", "le_uln", "unstated", "at_least", "worst", "never"),
]
KEYS = ["note", "unit", "value", "window", "select", "of", "arm", "at", "cap", "provenance", "x"]


def _paths(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(one, (*path, key))


def _at(value, path):
    for part in path:
        value = value[part]
    return value


def break_something(definition, chance):
    """Delete, replace, double, add or exchange one value anywhere in a definition."""
    paths = [one for one in _paths(definition) if one]
    path, other = chance.choice(paths), chance.choice(paths)
    parent, key = _at(definition, path[:-1]), path[-1]
    how = chance.choice(["delete", "replace", "replace", "replace", "double", "add", "copy"])
    if how == "delete":
        del parent[key]
    elif how == "double" and isinstance(parent, list):
        parent.insert(chance.randrange(len(parent) + 1), deepcopy(parent[key]))
    elif how == "add" and isinstance(parent, dict):
        parent[chance.choice(KEYS)] = deepcopy(chance.choice(ODD))
    elif how == "copy":
        parent[key] = deepcopy(_at(definition, other))
    else:
        parent[key] = deepcopy(chance.choice(ODD))


def mutated(seed):
    """A shipped file with one to three things broken, by a number that makes it again."""
    chance = random.Random(seed)  # noqa: S311  the same each time
    definition = yaml.safe_load(chance.choice(FILES).read_text())
    for _ in range(chance.choice([1, 1, 2, 3])):
        break_something(definition, chance)
    return yaml.safe_dump(definition, sort_keys=False, allow_unicode=True)


def garbled(seed):
    """A shipped file in which a few characters were exchanged for others that YAML minds."""
    chance = random.Random(seed)  # noqa: S311  the same each time
    text = list(chance.choice(FILES).read_text())
    for _ in range(chance.choice([1, 2, 8])):
        text[chance.randrange(len(text))] = chance.choice(
            "\t\n :-[]{}!&*%@`\"'|>#?,=~\\\r\x85\ufeff0"
        )
    return "".join(text)


def outcome(text):
    """Load a file from words to CDISC and back, or say that it was refused."""
    try:
        read = protocol.parse(text, schema=SCHEMA)
    except protocol.ProtocolError:
        problems(text)
        return "refused"
    again = protocol.parse(protocol.dump(read), schema=SCHEMA)
    assert protocol.digest(again) == protocol.digest(read)
    study = usdm.usdm(
        protocol.completed(read, read["identifier"]), version=read["version"], system_version="1"
    )
    json.dumps(study, allow_nan=False).encode()
    return "loads"


seeds = st.integers(min_value=0, max_value=2**32)


@settings(max_examples=40)
@given(seed=seeds)
def test_a_mutated_file_loads_whole_or_is_refused_with_its_line(seed):
    outcome(mutated(seed))


@settings(max_examples=20)
@given(seed=seeds)
def test_a_garbled_file_loads_whole_or_is_refused_with_its_line(seed):
    outcome(garbled(seed))


@pytest.mark.fuzz
@settings(max_examples=5000)
@given(seed=seeds)
def test_many_mutated_files(seed):
    outcome(mutated(seed))


@pytest.mark.fuzz
@settings(max_examples=2000)
@given(seed=seeds)
def test_many_garbled_files(seed):
    outcome(garbled(seed))


# The same through the service, the page and the command.


@pytest.fixture
def manager(client, db):
    trial = protocols.load_trial(DEMO, by=jobs.system_user()).trial
    client.force_login(factories.make_user(Role.DATA_MANAGER, trial=trial))
    return client


def sent(client, text):
    """Upload a file and confirm what is shown; what the record gained, or the refusal."""
    before = rows()
    upload = SimpleUploadedFile("trial.yaml", text.encode("utf-8", "surrogatepass"))
    shown = client.post(reverse("trial_upload"), {"file": upload})
    assert shown.status_code in {200, 422}
    assert rows() == before
    if shown.status_code == 422:
        return "refused"
    again = {"text": shown.context["text"], "shown": shown.context["shown"]}
    loaded = client.post(reverse("trial_upload"), again)
    if not shown.context["changes"]:
        return "the same"
    assert loaded.status_code == 302, loaded.content.decode()[:2000]
    page = client.get(loaded.url)
    assert page.status_code == 200
    return "loaded"


@pytest.mark.parametrize("name", NO_YAML)
def test_the_page_refuses_what_no_trial_file_is(manager, name):
    assert sent(manager, NO_YAML[name][0]) == "refused"


def mutated_for_the_page(numbers):
    for number in numbers:
        chance = random.Random(number)  # noqa: S311  the same each time
        definition = yaml.safe_load(DEMO)
        break_something(definition, chance)
        definition["version"] = f"{number}"
        yield number, yaml.safe_dump(definition, sort_keys=False, allow_unicode=True)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_page_loads_a_mutated_file_whole_or_refuses_it(manager):
    found = {sent(manager, text) for _, text in mutated_for_the_page(range(40))}
    assert found == {"refused", "loaded"}


@pytest.mark.fuzz
@pytest.mark.django_db
def test_the_page_loads_many_mutated_files_whole_or_refuses_them(manager):
    found = {sent(manager, text) for _, text in mutated_for_the_page(range(1000, 2500))}
    assert found == {"refused", "loaded"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["NUL", "too much", "half a character", "a python object"])
def test_the_command_names_file_and_line(name, tmp_path):
    text, line, _ = NO_YAML[name]
    file = tmp_path / "odd.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CommandError, match=rf"odd\.yaml:{line}: "):
        call_command("load_trial", str(file))


@pytest.mark.django_db
def test_the_command_names_the_line_of_a_byte_that_is_no_utf_8(tmp_path):
    file = tmp_path / "odd.yaml"
    file.write_bytes("a: 1\nb: größer\n".encode("latin-1"))
    with pytest.raises(CommandError, match=r"odd\.yaml:2: The file is not UTF-8: byte 10 "):
        call_command("load_trial", str(file))


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_file_of_another_system_says_the_same_and_comes_back(end, tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_bytes(("\ufeff" + DEMO.replace("\n", end)).encode())
    call_command("load_trial", str(file))
    assert protocols.export(Trial.objects.get(identifier="DEMO").newest_version) == DEMO


def test_what_a_browser_sends_back_is_what_was_shown(manager):
    # A browser drops the first line break of a text area, and sends every one as two characters.
    text = "\n" + DEMO.replace("value: 18", "value: 21").replace("\n", "\r")
    file = SimpleUploadedFile("trial.yaml", text.encode())
    page = manager.post(reverse("trial_upload"), {"file": file})
    held = page.content.decode().split('<textarea name="text" hidden aria-hidden="true">', 1)[1]
    held = html.unescape(held.split("</textarea>", 1)[0]).removeprefix("\n")
    again = {"text": held.replace("\n", "\r\n"), "shown": page.context["shown"]}
    assert manager.post(reverse("trial_upload"), again).status_code == 302
