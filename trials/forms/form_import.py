"""The forms that send a file of values and confirm what it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from trials import import_layouts, import_rows, redcap_dictionary
from trials.forms.base import ActForm
from trials.import_tables import MOST_BYTES, MOST_ROWS, TableError
from trials.services.form_imports import LONGEST_NAME, READING

DATES = [
    ("iso", "2026-03-02"),
    ("dmy", "Day first: 02.03.2026, 02/03/2026"),
    ("mdy", "Month first: 03/02/2026"),
]


class FormImportForm(ActForm):
    """A file for one form of one trial, and how it writes what it says."""

    about = forms.ChoiceField(label="Form")
    file = forms.FileField(
        label="File",
        help_text=f"CSV with the columns of the empty file, at most {MOST_ROWS} rows and "
        f"{MOST_BYTES // 2**20} MiB.",
    )
    source = forms.CharField(
        max_length=LONGEST_NAME, help_text="Where it comes from, as “Hospital laboratory”."
    )
    import_id = forms.CharField(
        label="Name of the import",
        max_length=LONGEST_NAME,
        required=False,
        help_text="What the source calls this file; the name of the file if nothing is said. "
        "A file is entered once under it.",
    )
    layout = forms.ChoiceField(label="Made by", choices=list(import_layouts.KINDS.items()))
    patient_column = forms.CharField(
        label="Column of the patient",
        max_length=100,
        required=False,
        help_text="If it is not called patient; of REDCap, if it is not the first.",
    )
    visits = forms.CharField(
        label="Names of the visits",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="If the file has others than the protocol, one in a line: visit_1_arm_1=PET1.",
    )
    date_order = forms.ChoiceField(label="Dates are written", choices=DATES)
    decimal_comma = forms.BooleanField(
        label="Decimals are parted by commas, as 36,5", required=False
    )
    missing = forms.CharField(
        label="Codes of missing values",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="One in a line, as -99=NK or -98=ND: why it was not done. "
        "ND not done, NK not known, NA not applicable, RF refused by the patient.",
    )
    emptied = forms.CharField(
        label="Mark that empties an answer",
        required=False,
        max_length=import_rows.LONGEST_MARK,
        help_text="As <empty>. An empty cell says nothing; without a mark no file takes an answer "
        "away, and with one the reason of the import stands with each.",
    )

    field_of = {"form": "about"}

    def __init__(self, *args: Any, choices: Iterable[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["about"].choices = [("", "–"), *choices]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(f"A file has at most {MOST_BYTES // 2**20} MiB: divide it.")
        return file

    def clean_missing(self) -> str:
        return self._parsed("missing", import_rows.missing_codes)

    def clean_emptied(self) -> str:
        return self._parsed("emptied", import_rows.emptying_mark)

    def clean_visits(self) -> str:
        return self._parsed("visits", import_layouts.visit_names)

    def _parsed(self, name: str, parse: Any) -> str:
        text = self.cleaned_data[name]
        try:
            parse(text)
        except import_rows.SpellingError as error:
            raise ValidationError(str(error)) from error
        return text

    def reading(self) -> dict[str, Any]:
        """How the file writes what it says, as the service takes it."""
        return {key: self.cleaned_data[key] for key in READING}


class RedcapDictionaryForm(ActForm):
    """A data dictionary of REDCap."""

    file = forms.FileField(
        label="Data dictionary", help_text="CSV, as REDCap's Data Dictionary page gives it."
    )
    text: str = ""

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(f"A file has at most {MOST_BYTES // 2**20} MiB.")
        try:
            self.text = redcap_dictionary.yaml_text(file.read())
        except (TableError, redcap_dictionary.DictionaryError) as error:
            raise ValidationError(str(error)) from error
        return file


class FormImportConfirmForm(ActForm):
    """What was shown is entered; a reason is needed where values change."""

    digest = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(required=False, max_length=300)

    def __init__(self, *args: Any, changes: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if changes:
            self.fields["reason"].help_text = "Why values change; it stands with each of them."
            self.fields["reason"].required = True
        else:
            del self.fields["reason"]
