"""Forms about the end of screening, signatures, withdrawal, and the trial file."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError

from trials import trial_yaml
from trials.forms.base import ActForm, PartialMoment
from trials.forms.conduct import Password
from trials.models import ScreenFailure, Withdrawal


class SignForm(ActForm):
    password = Password()


class EnrolForm(ActForm):
    """The cohort, where the protocol has cohorts."""

    def __init__(self, *args, rooms, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if rooms:
            self.fields["cohort"] = forms.ChoiceField(
                choices=[(one.cohort.identifier, one.sentence) for one in rooms],
                widget=forms.RadioSelect,
            )


class DespiteForm(EnrolForm):
    text = forms.CharField(
        label="What happened",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=4000,
        help_text="How it came that the patient was enrolled, when, and what is done about it.",
    )
    password = Password()


class EndScreeningForm(ActForm):
    category = forms.ChoiceField(
        label="Why it ends", choices=ScreenFailure.Category.choices, widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label="In words", max_length=200, help_text="A few words; they go into the trail."
    )


class WithdrawForm(ActForm):
    extent = forms.ChoiceField(
        label="How far it reaches", choices=Withdrawal.Extent.choices, widget=forms.RadioSelect
    )
    initiative = forms.ChoiceField(
        label="On whose initiative",
        choices=Withdrawal.Initiative.choices,
        widget=forms.RadioSelect,
    )
    withdrawn_at = PartialMoment(
        label="When",
        max_length=32,
        help_text="2026-03-02, or with the time: 2026-03-02 08:15.",
    )
    text = forms.CharField(
        label="What was said", widget=forms.Textarea(attrs={"rows": 3}), max_length=4000
    )


class VisitForm(ActForm):
    took_place_at = PartialMoment(
        label="Took place",
        max_length=32,
        help_text="2026-03-02, or with the time: 2026-03-02 08:15.",
    )
    performed_by = forms.CharField(
        label="Held by", max_length=120, help_text="Who of the site saw or called the patient."
    )


class VisitCorrectionForm(VisitForm):
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class VerifyForm(ActForm):
    evidence_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    note = forms.CharField(
        required=False, max_length=500, help_text="What was compared, if it is not plain."
    )


class TrialFileForm(ActForm):
    """A trial file, chosen or pasted."""

    file = forms.FileField(
        label="Trial file", required=False, help_text="YAML, by the published schema."
    )
    text = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "font-monospace"}),
    )

    def clean(self) -> dict:
        found = super().clean()
        file = found.get("file")
        if not file and not found.get("text", "").strip():
            raise ValidationError("Choose a file, or paste its text.")
        if file:
            found["text"] = _read(file)
        # A browser sends every line break as two characters, so what comes back is compared.
        found["text"] = found["text"].replace("\r\n", "\n").replace("\r", "\n")
        return found


def _read(file) -> str:
    if file.size > 4 * trial_yaml.MAXIMUM_CHARACTERS:
        raise ValidationError(
            f"A trial file has at most {trial_yaml.MAXIMUM_CHARACTERS:,} characters."
        )
    try:
        return trial_yaml.decoded(file.read())
    except trial_yaml.TrialYamlError as error:
        raise ValidationError(f"Line {error.line}: {error.message}") from error
