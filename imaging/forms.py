"""Forms of the imaging pages."""

from __future__ import annotations

from django import forms

from imaging.models import ReferenceRegion


class DecisionForm(forms.Form):
    """What a person decides about quarantined images, and why."""

    release = forms.TypedChoiceField(
        label="Decision",
        choices=[("yes", "Release: the images belong to this scan"), ("no", "Refuse the images")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label="Reason", max_length=200)


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
