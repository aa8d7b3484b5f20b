"""Forms of exports and of data reviews."""

from __future__ import annotations

from django import forms

from reporting import selectors
from reporting.formats import CHOICES
from reporting.profiles import LABELS, Profile
from reporting.services.exports import LONGEST_REASON
from trials.forms import ActForm
from trials.forms.conduct import Password
from trials.models import Trial, User


class ExportForm(ActForm):
    """Of which trial, what for, and in which formats."""

    trial = forms.ModelChoiceField(queryset=Trial.objects.none(), empty_label=None)
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        help_text="What the export is for. It stands in the manifest and in the audit trail.",
    )

    formats = forms.MultipleChoiceField(
        label="Formats besides CSV",
        choices=[(one.name, one.label) for one in CHOICES.values()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="The same rows in each. CSV, codebook and manifest are always there.",
    )

    privacy = forms.ChoiceField(
        label="Privacy profile",
        choices=[(one.value, label) for one, label in LABELS.items()],
        initial=Profile.FULL.value,
        required=False,
        help_text="The manifest names each column that is left out or masked.",
    )

    def clean_privacy(self) -> str:
        return self.cleaned_data["privacy"] or Profile.FULL.value

    def __init__(self, *arguments, by: User, **options) -> None:
        super().__init__(*arguments, **options)
        self.fields["trial"].queryset = selectors.exportable_trials(by)


class PopulationBeginForm(ActForm):
    """Nothing but the wish."""


class PopulationDecisionForm(ActForm):
    """In or out, and why."""

    is_in = forms.ChoiceField(
        label="This unit is", choices=[("in", "In the population"), ("out", "Out of it")]
    )
    reason = forms.CharField(
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="It is signed with the review and stands in the exports. No result, no name.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class PopulationSignForm(ActForm):
    """The version and the digest that were looked at, and the password."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    inputs_sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)
    password = Password()
