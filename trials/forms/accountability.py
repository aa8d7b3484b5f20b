"""Forms of tracer accountability."""

from __future__ import annotations

from django import forms

from trials import accountability
from trials.forms.base import ActForm, SiteMoment
from trials.forms.conduct import Password
from trials.models import TracerMovement


class ReviewForm(ActForm):
    remark = forms.CharField(
        label="What was found",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What does not agree with delivery notes, log or destruction records. Empty if "
        "nothing was found.",
    )
    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)
    password = Password()


class MovementForm(ActForm):
    kind = forms.ChoiceField(label="What happened", choices=TracerMovement.Kind.choices)
    tracer = forms.ChoiceField(help_text="Of an order; a batch says its own.")
    batch = forms.ModelChoiceField(
        queryset=None, required=False, help_text="Leave empty for an order: no batch is made yet."
    )
    doses = forms.IntegerField(
        label="Patient doses",
        min_value=1,
        max_value=accountability.MOST_DOSES,
        help_text="A syringe is one dose. Of a vial for several patients give how many doses it "
        "holds when it comes, one for each patient it is dispensed for, and the rest when it is "
        "returned or destroyed.",
    )
    activity_mbq = forms.FloatField(
        label="Activity in all (MBq)",
        required=False,
        min_value=0,
        max_value=accountability.MOST_MBQ,
        help_text="As assayed at that time. Empty if nobody assayed it, which is not zero.",
    )
    happened_at = SiteMoment(label="When")
    reference = forms.CharField(
        max_length=200, required=False, help_text="Order number, delivery note, record."
    )

    def __init__(self, *args, batches, tracers, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["batch"].queryset = batches
        self.fields["tracer"].choices = [(one.identifier, one.name) for one in tracers]
