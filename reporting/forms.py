"""The form that orders an export."""

from __future__ import annotations

from django import forms

from reporting import selectors
from reporting.formats import CHOICES
from reporting.services.exports import LONGEST_REASON
from trials.forms import ActForm
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

    def __init__(self, *arguments, by: User, **options) -> None:
        super().__init__(*arguments, **options)
        self.fields["trial"].queryset = selectors.exportable_trials(by)
