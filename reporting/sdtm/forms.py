"""What case report forms hold, to where their items say that they go in SDTM.

An item names a variable, with the code of a test where it is a result: `VSORRES` of `HR`. Others of
the same domain say how, when and of what the results of their section are. What names a
supplemental qualifier, or a variable that the domain does not have, stands beside the first record
of its domain, else of the form; what has no record to stand beside is a comment. Nothing is left
out: a value, and why one is missing, is in one of the three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reporting.sdtm import terms
from reporting.sdtm.draft import LONGEST_NAME, Draft, Record, as_text
from reporting.sdtm.model import MappingError, Row, Value
from reporting.sdtm.specification import DOMAINS
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import visit
from trials import case_report_forms, form_columns
from trials.case_report_forms import MISSING_WORDS, Form, Item
from trials.form_columns import Meaning

TOPICS = {
    "AE": "AETERM",
    "CM": "CMTRT",
    "DS": "DSTERM",
    "DV": "DVTERM",
    "MH": "MHTERM",
    "PR": "PRTRT",
}
# Imaging of a form in METHOD (C85492).
_METHODS = {"CT": "CT SCAN"}
_SPECIMENS = {"MARROW": "BONE MARROW", "CSF": "CEREBROSPINAL FLUID"}
# What a result is called whose item names no test.
_RESULTS = {"MI": "HISTRES"}
_DURATIONS = {"s": "PT{}S", "min": "PT{}M", "h": "PT{}H", "days": "P{}D", "weeks": "P{}W"}
COMMENT = "COVAL"
# Qualifiers that have the name of a variable of the model.
_RENAMED = {"SUPPMH.MHCONTRT": "TREATED", "SUPPRP.RPREASND": "WHYNOT"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a form's item was answered with: a value, or why there is none, in words."""

    item: Item
    unit: str
    value: Any
    missing: str

    @property
    def domain(self) -> str:
        """The domain that it goes to; empty where it names none of ours."""
        name = self.variable
        if name.startswith("SUPP"):
            return name[4:6]
        if name in DOMAINS["DM"].names:
            return "DM"
        return name[:2] if name[:2] in DOMAINS else ""

    @property
    def variable(self) -> str:
        return (self.item.target or {}).get("variable", "")

    @property
    def test(self) -> str:
        """The code of the test whose result it is."""
        stated = (self.item.target or {}).get("test", "")
        if not stated and self.variable.endswith("ORRES"):
            stated = _RESULTS.get(self.domain, "")
        return terms.TEST_SYNONYMS.get((self.domain, stated), stated)

    def text(self, subject: Subject) -> str:
        """The value as SDTM writes it."""
        if isinstance(self.value, datetime) or self.item.type in case_report_forms.DATES:
            return subject.local(self.value)
        if isinstance(self.value, list):
            return "; ".join(self.value)
        text = as_text(self.value)
        if self.variable.endswith("DUR") and self.item.type in case_report_forms.NUMBERS:
            return _duration(text, self.unit, self.variable)
        return _place(text) if self.variable.endswith("LOC") else text


def _place(text: str) -> str:
    """A place of the body: a region by its terms with the side, what was typed in capitals.

    >>> _place("nodes_iliac_left"), _place("left groin")
    ('ILIAC LYMPH NODE, LEFT', 'LEFT GROIN')
    """
    if text in terms.PLACES:
        return ", ".join(filter(None, terms.place(text)))
    return text.upper()


def _duration(number: str, unit: str, variable: str) -> str:
    """A length of time in the words of ISO 8601, which SDTM asks for.

    >>> _duration("12.5", "min", "PRDUR")
    'PT12.5M'
    """
    if unit not in _DURATIONS:
        raise MappingError(f"{variable}: a duration in {unit!r} has no form in ISO 8601")
    return _DURATIONS[unit].format(number)


@dataclass
class Entry:
    """A completed form of a patient, as it is being put into domains."""

    draft: Draft
    form: Form
    row: Row
    subject: Subject
    answers: list[Answer]
    records: dict[str, list[Record]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"FORM-{self.row['record_pk']}"

    @property
    def main(self) -> Record | None:
        """The record that stands for the form: the first of its own domain, else of any."""
        own = self.records.get(self.form.domain)
        return own[0] if own else next((some[0] for some in self.records.values() if some), None)

    def add(self, domain: str, **values: Value) -> Record:
        """A record of a domain, with the visit and the form that it is of."""
        names = DOMAINS[domain].names
        _, number, label = visit(self.draft, self.row["visit"])
        common: dict[str, Value] = {
            "VISITNUM": number,
            "VISIT": label,
            f"{domain}SPID": self.reference,
            f"{domain}GRPID": self.reference,
        }
        known = {name: value for name, value in common.items() if name in names}
        record = self.draft.add(domain, self.subject, **{**known, **values})
        self.records.setdefault(domain, []).append(record)
        return record


def add(draft: Draft) -> None:
    """Every completed form."""
    stated = {
        one.number: case_report_forms.forms_of(one.definition) for one in draft.source.versions
    }
    for rows in draft.source.forms.values():
        # The form in each version that asked it.
        name = rows.table.form
        asked = {number: forms[name] for number, forms in stated.items() if name in forms}
        if not rows.rows:
            continue
        newest, meanings = asked[max(asked)], form_columns.meanings(asked)
        for row in rows.rows:
            answers = list(_answers(meanings, row))
            _entry(Entry(draft, newest, row, draft.subject(row), answers))


def _answers(meanings: Sequence[Meaning], row: Row) -> Iterator[Answer]:
    for meaning in meanings:
        item, column = meaning.items[-1], meaning.column
        value = row.get(column)
        if item.type == "multi_choice":
            codes = dict.fromkeys(code for one in meaning.items for code, _ in one.codes)
            chosen = [
                code
                for code in codes
                if row.get(f"{column}__{case_report_forms.column_word(code)}")
            ]
            is_answered = any(
                row.get(f"{column}__{case_report_forms.column_word(code)}") is not None
                for code in codes
            )
            value = (chosen or ["NONE"]) if is_answered else None
        why = row.get(f"{column}_missing")
        reason = row.get(f"{column}_reason")
        missing = ": ".join(filter(None, (MISSING_WORDS.get(why or "", why or ""), reason)))
        if (value is not None and value != "") or missing:
            yield Answer(item, item.unit, value, missing)


def _entry(entry: Entry) -> None:
    by_domain: dict[str, list[Answer]] = {}
    for one in entry.answers:
        by_domain.setdefault(one.domain, []).append(one)
    left = by_domain.pop("", [])
    own = entry.form.domain
    for domain in sorted(by_domain, key=lambda one: (one != own, one)):
        answers = by_domain[domain]
        plain = [one for one in answers if not one.variable.startswith("SUPP")]
        left += [one for one in answers if one.variable.startswith("SUPP")]
        left += _placed(entry, domain, plain)
    if entry.main is None and own in TOPICS and left and not _has_topic(entry.form, own):
        entry.add(own, **{TOPICS[own]: entry.form.label.upper()})
    for one in left:
        _beside(entry, one)
    if main := entry.main:
        at = entry.subject.local(entry.row.get("changed_unblinded_at"))
        main.supplement("UNBLDTC", "Panel Changed It Unblinded", at)


def _placed(entry: Entry, domain: str, answers: Sequence[Answer]) -> list[Answer]:
    """Put answers into a domain; those that stay outside of it come back."""
    if domain == "DM":
        return _of_patient(entry, answers)
    if domain == "SV":
        return _of_visit(entry, answers)
    if any(one.test for one in answers):
        return _findings(entry, domain, answers)
    topic = TOPICS.get(domain, "")
    is_own = domain == entry.form.domain and not _has_topic(entry.form, domain)
    if topic and (is_own or any(one.variable == topic and one.value for one in answers)):
        return _event(entry, domain, answers)
    return list(answers)


def _has_topic(form: Form, domain: str) -> bool:
    return any((one.target or {}).get("variable") == TOPICS[domain] for one in form.items)


def _of_patient(entry: Entry, answers: Sequence[Answer]) -> list[Answer]:
    """Characteristics of the patient; the age is told by the dates, that of the form beside it."""
    record = next(iter(entry.draft.of("DM", entry.subject)), None)
    record = record or entry.draft.add("DM", entry.subject)
    entry.records.setdefault("DM", []).append(record)
    left = []
    for one in answers:
        if one.variable == "AGE":
            record.supplement("AGECRF", one.item.label, one.text(entry.subject) or one.missing)
        elif one.value is not None and one.variable in DOMAINS["DM"].names:
            record.values[one.variable] = one.text(entry.subject)
        else:
            left.append(one)
    return left


_CONTACTS = {"PHONE": "TELEPHONE CALL", "EMAIL": "E-MAIL", "VISIT": "IN PERSON"}


def _of_visit(entry: Entry, answers: Sequence[Answer]) -> list[Answer]:
    """When and how a visit was; of a form that no visit asks it stands beside the form."""
    _, number, label = visit(entry.draft, entry.row["visit"])
    if number is None:
        return list(answers)
    known = [one for one in entry.draft.of("SV", entry.subject) if one.values["VISITNUM"] == number]
    record = known[0] if known else entry.draft.add("SV", entry.subject, VISITNUM=number)
    record.values["VISIT"] = label
    entry.records.setdefault("SV", []).append(record)
    left = []
    for one in answers:
        if one.value is not None and one.variable in DOMAINS["SV"].names:
            text = one.text(entry.subject)
            record.values[one.variable] = _CONTACTS.get(text, text)
        else:
            left.append(one)
    return left


def _findings(entry: Entry, domain: str, answers: Sequence[Answer]) -> list[Answer]:
    """A record for each result, with what its section says of it."""
    names = DOMAINS[domain].names
    tests = [one for one in answers if one.test]
    others = [one for one in answers if not one.test]
    sections = list(dict.fromkeys(one.item.section for one in tests if one.item.section))
    used: set[str] = set()
    for one in tests:
        values = _result(entry, domain, one)
        for variable in dict.fromkeys(other.variable for other in others):
            qualifier = _qualifier(variable, one, others)
            if variable in names and qualifier is not None and qualifier.value is not None:
                text = qualifier.text(entry.subject)
                if variable.endswith("METHOD"):
                    text = _METHODS.get(text, text)
                values[variable] = qualifier.value if variable.endswith("LLOD") else text
                used.add(qualifier.item.identifier)
        if f"{domain}TPT" in names and len(sections) > 1 and one.item.section:
            values[f"{domain}TPT"] = one.item.section.upper()
            values[f"{domain}TPTNUM"] = sections.index(one.item.section) + 1
        _in_terms(domain, values)
        if domain == "MI":
            # What the form does not ask follows from how the specimen was taken.
            taken = str(values.get("MIMETHOD") or "")
            values.setdefault("MISPEC", _SPECIMENS.get(taken, "TISSUE"))
        record = entry.add(domain, **values)
        record.supplement("QUESTION", "Question of the Form", one.item.label, "Assigned")
    return [one for one in others if one.item.identifier not in used]


def _qualifier(variable: str, of: Answer, others: Sequence[Answer]) -> Answer | None:
    """The answer that qualifies a result: of its section, else the only one of the form."""
    known = [one for one in others if one.variable == variable]
    same = [one for one in known if one.item.section == of.item.section]
    return same[-1] if same else known[0] if len(known) == 1 else None


def _result(entry: Entry, domain: str, one: Answer) -> dict[str, Value]:
    names = DOMAINS[domain].names
    values: dict[str, Value] = {
        f"{domain}TESTCD": one.test,
        f"{domain}TEST": terms.test_name(domain, one.test, one.item.label),
        f"{domain}SPID": f"{entry.reference}-{one.item.identifier}".upper(),
    }
    if domain == "RS" and "RSCAT" in names:
        values["RSCAT"] = entry.form.label.upper()
    if one.value is None:
        return values | {f"{domain}STAT": "NOT DONE", f"{domain}REASND": one.missing}
    text = one.text(entry.subject)
    values |= {f"{domain}ORRES": text, f"{domain}STRESC": text}
    if one.item.type in case_report_forms.NUMBERS:
        unit = terms.unit(one.unit, where=domain, test=one.test)
        values[f"{domain}STRESN"] = one.value
        if f"{domain}ORRESU" in names:
            values |= {f"{domain}ORRESU": unit, f"{domain}STRESU": unit}
    return values


def _in_terms(domain: str, values: dict[str, Value]) -> None:
    """A unit that was chosen on the form, as its submission value; standard is as reported."""
    unit = values.get(f"{domain}ORRESU")
    if unit and f"{domain}STRESN" in values:
        submitted = {*terms.UNITS.values(), *terms.VITAL_UNITS.values()}
        known = unit if unit in submitted else terms.unit(str(unit), where=domain)
        values |= {f"{domain}ORRESU": known, f"{domain}STRESU": known}


def _event(entry: Entry, domain: str, answers: Sequence[Answer]) -> list[Answer]:
    """The record that the form is: an event or an intervention with its properties."""
    names = DOMAINS[domain].names
    values: dict[str, Value] = {}
    left = []
    for one in answers:
        if one.value is None or one.variable not in names:
            left.append(one)
        elif one.variable.endswith("ENRTPT"):
            values[one.variable] = "ONGOING" if one.value else "BEFORE"
            if f"{domain}ENTPT" in names:
                values[f"{domain}ENTPT"] = entry.subject.local(entry.row["completed_at"])
        elif isinstance(one.value, list) and set(one.value) <= {*names, "NONE"}:
            # The reasons why an event is serious have variables of their own.
            values |= {code: "Y" for code in one.value if code != "NONE"}
        else:
            values[one.variable] = one.text(entry.subject)
    values.setdefault(TOPICS[domain], entry.form.label.upper())
    if domain == "DS":
        values |= {"DSDECOD": values["DSTERM"], "DSCAT": "OTHER EVENT"}
    if domain == "MH":
        category = entry.form.label.upper()
        # A category that says no more than its domain is none.
        values["MHCAT"] = "GENERAL" if category == "MEDICAL HISTORY" else category
    if entry.form.identifier == "primary_diagnosis" and domain == "MH":
        values["MHEVDTYP"] = "DIAGNOSIS"
    entry.add(domain, **values)
    return left


def _beside(entry: Entry, one: Answer) -> None:
    """A supplemental qualifier of the form's record, or a comment where it has none."""
    text = one.text(entry.subject) if one.value is not None else one.missing
    of_domain = entry.records.get(one.domain)
    record = of_domain[0] if of_domain else entry.main
    if record is None:
        words = f"{entry.form.label}, {entry.row['repeat']}: {one.item.label}: {text}"
        dated = entry.subject.local(entry.row["completed_at"])
        entry.draft.comment(entry.subject, words, dated)
    elif one.variable == COMMENT:
        record.comments.append(text)
    else:
        is_missing = one.value is None
        label = f"{one.item.label}: missing" if is_missing else one.item.label
        record.supplement(_name(one, is_missing), label, text)


def _name(one: Answer, is_missing: bool) -> str:
    """QNAM: what the item names, else its identifier in short; of a missing value with an M."""
    stated = _RENAMED.get(one.variable) or one.variable.partition(".")[2]
    if not stated and one.variable:
        # A variable of the model that the guide's domain lacks can't be a qualifier's name.
        stated = f"X{one.variable[2:]}"
    word = "".join(part for part in one.item.identifier.upper() if part.isalnum())
    name = (stated or word)[:LONGEST_NAME]
    return f"{name[: LONGEST_NAME - 1]}M" if is_missing else name
