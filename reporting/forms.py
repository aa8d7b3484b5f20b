"""Forms of exports and of data reviews."""

from __future__ import annotations

from datetime import UTC, datetime

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

    cut_off = forms.DateField(
        label="Data cut-off",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day whose events are in it, by the clock of each site. Empty: all that "
        "is on record. With one, the analysis populations, which are judged on the whole record, "
        "are left out.",
    )

    at_event = forms.IntegerField(
        label="As the record stood at audit event",
        min_value=1,
        required=False,
        help_text="Number of an event of the audit trail. Empty: as the record is now.",
    )

    at_moment = forms.DateTimeField(
        label="Or as it stood at a moment (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        help_text="The record is read back from the audit trail. What is blind today stays out, "
        "and so does who withdrew the use of their data since.",
    )

    unblinding_reason = forms.CharField(
        label="Unblinded, because",
        max_length=LONGEST_REASON,
        required=False,
        help_text="Leave it empty for a blinded export. With a reason it holds what the trial "
        "conceals, and waits until a second person who may unblind agrees.",
    )

    def clean_at_moment(self) -> datetime | None:
        """In UTC, as every moment on the pages is."""
        found = self.cleaned_data["at_moment"]
        return found and found.replace(tzinfo=UTC)

    def clean_privacy(self) -> str:
        return self.cleaned_data["privacy"] or Profile.FULL.value

    def __init__(self, *arguments, by: User, **options) -> None:
        super().__init__(*arguments, **options)
        self.fields["trial"].queryset = selectors.exportable_trials(by)


class UnblindingForm(ActForm):
    """Whether an unblinded export is made, and why."""

    decision = forms.ChoiceField(
        label="This export",
        choices=[
            ("approve", "May be frozen with what the trial conceals"),
            ("decline", "Is not made"),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON, help_text="It stands in the manifest and in the audit trail."
    )


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


class PopulationAbandonForm(ActForm):
    """Why a review is given up."""

    reason = forms.CharField(
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="It stands with the review and in the audit trail. No result, no name.",
    )


class PopulationSignForm(ActForm):
    """The version and the digest that were looked at, and the password."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    inputs_sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)
    password = Password()
