"""Forms of the imaging pages."""

from __future__ import annotations

from django import forms

from imaging.models import ReferenceRegion
from trials.models import ScheduledScan


class DecisionForm(forms.Form):
    """What a person decides about quarantined images, and why.

    Where nobody may let them through, to refuse them is all that is offered.
    """

    release = forms.TypedChoiceField(
        label="Decision",
        choices=[("yes", "Release: the images belong to this scan"), ("no", "Refuse the images")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label="Reason", max_length=200)

    def __init__(self, *args, may_release: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not may_release:
            field = self.fields["release"]
            field.choices, field.initial = field.choices[1:], "no"
            field.help_text = (
                "These images may be of another person: nobody lets them through. The site then "
                "sends the images of this patient alone."
            )


class AssignForm(forms.Form):
    """Which scan images are of; with a reason where they were given to another before."""

    scan = forms.ModelChoiceField(
        label="Scheduled scan", queryset=ScheduledScan.objects.none(), empty_label="Choose the scan"
    )
    reason = forms.CharField(label="Reason", max_length=200)

    def __init__(self, *args, scans, is_another: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scan"].queryset = scans
        if not is_another:
            del self.fields["reason"]


class RegionForm(forms.Form):
    """Where a reader puts a reference sphere, in the patient's frame."""

    kind = forms.ChoiceField(label="Region", choices=ReferenceRegion.Kind.choices)
    x_mm = forms.FloatField(label="x, to the patient's left (mm)")
    y_mm = forms.FloatField(label="y, to the back (mm)")
    z_mm = forms.FloatField(label="z, to the head (mm)")
    radius_mm = forms.FloatField(label="Radius (mm)", initial=8.0, min_value=3, max_value=30)

    def centre_mm(self) -> tuple[float, float, float]:
        found = self.cleaned_data
        return found["x_mm"], found["y_mm"], found["z_mm"]
