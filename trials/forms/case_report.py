"""The page of a case report form: inputs made from its definition, and nothing judged here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.forms import BoundField

from trials import item_computations, item_conditions, item_values
from trials.case_report_forms import DATES, MISSING, NUMBERS, Form, Item
from trials.forms.base import ActForm
from trials.item_values import Given, ItemError
from trials.services.errors import Refused
from trials.services.form_entries import Overtaken, WrongItems

# Names that no item can have.
REVISION, REASON = "form-revision", "form-reason"
YES_NO = [("yes", "Yes"), ("no", "No"), ("", "Not answered")]
HELP = {
    "datetime": "Time of the site ({zone}).",
    "partial_date": "As far as known: 2026-03-02, 2026-03 or 2026.",
}


@dataclass(frozen=True)
class Row:
    """One item on the page: its input, those for why it is missing, and when it is asked."""

    item: Item
    field: BoundField
    missing: BoundField | None
    reason: BoundField | None
    condition: str
    asked_if: str
    is_missing: bool
    theirs: str


class CaseReportForm(ActForm):
    """What is typed into a form, as text; the rules of forms make values of it."""

    def __init__(
        self, *args: Any, asked: Form, zone: str, given: Mapping[str, Any], revision: int, **kwargs
    ) -> None:
        super().__init__(*args, zone=zone, **kwargs)
        self.asked, self.place = asked, ZoneInfo(zone)
        # What somebody else saved meanwhile; none as long as nobody did.
        self.theirs: Mapping[str, Any] | None = None
        self.fields[REVISION] = forms.IntegerField(widget=forms.HiddenInput)
        self.initial[REVISION] = revision
        for item in asked.entered_items:
            self._add(item, zone)
            one = _read(given.get(item.identifier))
            self.initial[item.identifier] = self._as_typed(item, one.value)
            self.initial[f"{item.identifier}-missing"] = one.missing
            self.initial[f"{item.identifier}-reason"] = one.reason

    def given(self) -> dict[str, Any]:
        """What was typed, by item; what is empty is not there."""
        found = {}
        for item in self.asked.entered_items:
            name = item.identifier
            typed = Given(*(self.cleaned_data.get(key, "") for key in _keys(name)))
            if not typed.is_empty:
                found[name] = item_values.raw(typed)
        return found

    def changed_given(self, standing: Mapping[str, Any]) -> dict[str, Any]:
        """The items that were typed otherwise than they stand; emptied ones are null."""
        typed = self.given()
        names = {
            name
            for name in (item.identifier for item in self.asked.entered_items)
            if any(
                (self.cleaned_data.get(key) or "") != (self.initial.get(key) or "")
                for key in _keys(name)
            )
        }
        return {name: typed.get(name) for name in names if name in typed or name in standing}

    def refuse(self, refusal: Refused) -> None:
        """Beside each item what is wrong with it; after a conflict, what stands now."""
        if isinstance(refusal, WrongItems):
            self.refused_with = refusal.status
            for name, message in refusal.errors.items():
                self.add_error(name if name in self.fields else None, message)
            return
        if isinstance(refusal, Overtaken):
            self.theirs = refusal.now
        super().refuse(refusal)

    def sections(self) -> Iterator[tuple[str, list[Row]]]:
        """The rows of the page, those of one section together."""
        for section, items in groupby(self.asked.entered_items, key=lambda item: item.section):
            yield section, [self._row(item) for item in items]

    def computed(self) -> list[tuple[Item, str]]:
        """What follows from the answers, and how."""
        return [
            (item, item_computations.words(self.asked, item))
            for item in self.asked.items
            if item.computed is not None
        ]

    def errors_in_order(self) -> list[BoundField]:
        fields = [self[item.identifier] for item in self.asked.entered_items]
        return [field for field in fields if field.errors]

    def _row(self, item: Item) -> Row:
        name, codes = item.identifier, item.missing
        missing = self[f"{name}-missing"] if codes else None
        return Row(
            item=item,
            field=self[name],
            missing=missing,
            reason=self[f"{name}-reason"] if codes else None,
            condition=json.dumps(item.condition) if item.condition else "",
            asked_if=item_conditions.words(item.condition, self.asked) if item.condition else "",
            is_missing=bool(missing and missing.value()),
            theirs=self._told_otherwise(item),
        )

    def _told_otherwise(self, item: Item) -> str:
        """What the other saved for an item, where it is not what was typed here."""
        if self.theirs is None:
            return ""
        one = _read(self.theirs.get(item.identifier))
        theirs = (self._as_typed(item, one.value) or "", one.missing, one.reason)
        keys = [key for key in _keys(item.identifier) if key in self.fields]
        mine = [self[key].value() or "" for key in keys]
        return _told(*theirs) if theirs[: len(mine)] != tuple(mine) else ""

    def _add(self, item: Item, zone: str) -> None:
        name = item.identifier
        self.fields[name] = _field(item, zone)
        if not item.missing:
            return
        choices = [("", "–"), *((code, MISSING[code]) for code in item.missing)]
        self.fields[f"{name}-missing"] = forms.ChoiceField(
            label=f"{item.label}: no value because", choices=choices, required=False
        )
        self.fields[f"{name}-reason"] = forms.CharField(
            label=f"{item.label}: reason", required=False, max_length=item_values.LONGEST_REASON
        )

    def _as_typed(self, item: Item, value: Any) -> Any:
        """A kept value as its input shows it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if item.type == "datetime" and isinstance(value, str):
            return self._on_site_clock(value)
        if item.type in NUMBERS and isinstance(value, int | float):
            return f"{value:g}" if value == int(value) and abs(value) < 1e6 else str(value)
        return "" if value is None else value

    def _on_site_clock(self, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                return text
            local = moment.astimezone(self.place).replace(tzinfo=None)
        except (ValueError, OverflowError):
            return text
        return local.isoformat(timespec="seconds" if local.second else "minutes")


class FormVerifyForm(ActForm):
    """The values that were compared; each box says which value it was."""

    seen = forms.MultipleChoiceField(
        label="Compared with the source", widget=forms.CheckboxSelectMultiple
    )
    note = forms.CharField(required=False, max_length=200, help_text="What it was compared with.")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].choices = choices


class FormSignForm(ActForm):
    revision = forms.IntegerField(widget=forms.HiddenInput)
    password = forms.CharField(
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Asked again: with it you sign.",
    )


def _keys(name: str) -> tuple[str, str, str]:
    return name, f"{name}-missing", f"{name}-reason"


def _read(raw: Any) -> Given:
    try:
        return item_values.given(raw)
    except ItemError:
        return Given()


def _told(value: Any, missing: str, reason: str) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    said = [shown, MISSING.get(missing, missing), reason]
    return ": ".join(filter(None, said)) or "empty"


def _field(item: Item, zone: str) -> forms.Field:
    shared = {"label": item.label, "required": False, "help_text": _help(item, zone)}
    if item.type == "multi_choice":
        return forms.MultipleChoiceField(
            choices=item.codes, widget=forms.CheckboxSelectMultiple, **shared
        )
    if item.type == "yes_no":
        return forms.ChoiceField(choices=YES_NO, widget=forms.RadioSelect, **shared)
    if item.type == "choice":
        return forms.ChoiceField(choices=[("", "–"), *item.codes], **shared)
    # No longer than any value: what is too long for a value is told by its rules.
    return forms.CharField(widget=_widget(item), max_length=2 * item_values.LONGEST_TEXT, **shared)


def _widget(item: Item) -> forms.Widget:
    if item.type in NUMBERS:
        mode = "numeric" if item.type == "integer" else "decimal"
        return forms.TextInput(attrs={"inputmode": mode, "autocomplete": "off"})
    if item.type == "text":
        return forms.Textarea(attrs={"rows": 1})
    kinds = {"date": "date", "time": "time", "datetime": "datetime-local"}
    if item.type in kinds:
        return forms.TextInput(attrs={"type": kinds[item.type]})
    return forms.TextInput(attrs={"autocomplete": "off"})


def _help(item: Item, zone: str) -> str:
    limits = item_values.limits_words(item.soft, item.unit)
    usual = f"Usually {limits}." if limits else ""
    kind = HELP.get(item.type, "").format(zone=zone) if item.type in DATES else ""
    return " ".join(filter(None, [item.help, usual, kind]))
