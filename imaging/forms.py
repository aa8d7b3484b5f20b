"""Forms of the imaging pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django import forms

from imaging import reading_terms
from imaging.models import LesionRead, PrivacyIncident, ReferenceRegion
from imaging.response import recist_lesions
from imaging.response.questions import Question
from imaging.response.recist_lesions import Lesions, RecistLesion
from trials.forms import ActForm
from trials.forms.conduct import Password
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


class AssignForm(ActForm):
    """Which scan images are of; with a reason where they were given to another before."""

    scan = forms.ModelChoiceField(
        label="Scheduled scan", queryset=ScheduledScan.objects.none(), empty_label="Choose the scan"
    )
    reason = forms.CharField(label="Reason", max_length=200)

    def __init__(self, *args, scans, choices, is_another: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scan"]
        field.queryset = scans
        field.choices = [("", field.empty_label), *choices]
        if not is_another:
            del self.fields["reason"]


class ReportIncidentForm(ActForm):
    text = forms.CharField(
        label="What is known",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How it was noticed, without naming anybody.",
    )


class JudgeIncidentForm(ActForm):
    notification = forms.ChoiceField(
        label="Who has to be notified",
        choices=[one for one in PrivacyIncident.Notification.choices if one[0] != "undecided"],
        widget=forms.RadioSelect,
    )
    basis = forms.CharField(
        label="On what this rests",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The risk to the person, who was asked, the reference of the notification.",
    )
    notified_on = forms.DateField(
        label="Notified on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty as long as the notification has not gone out.",
    )


class CloseIncidentForm(ActForm):
    measures = forms.CharField(
        label="What was done",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="So that it does not happen again.",
    )


class RegionForm(forms.Form):
    """Where a reader puts a reference sphere, in the patient's frame."""

    kind = forms.ChoiceField(label="Region", choices=ReferenceRegion.Kind.choices)
    x_mm = forms.FloatField(label="x, to the patient's left (mm)")
    y_mm = forms.FloatField(label="y, to the back (mm)")
    z_mm = forms.FloatField(label="z, to the head (mm)")
    radius_mm = forms.FloatField(
        label="Radius (mm)",
        required=False,
        min_value=3,
        max_value=30,
        widget=forms.NumberInput(attrs={"placeholder": "by region"}),
    )

    def centre_mm(self) -> tuple[float, float, float]:
        found = self.cleaned_data
        return found["x_mm"], found["y_mm"], found["z_mm"]


class PlacedShapeForm(ActForm):
    """A shape around a lesion: where its middle lies, and how large it is."""

    MIDDLE = ("x_mm", "y_mm", "z_mm")
    # Along planes, rows and columns, as the voxels are counted.
    SIZE = ("through_mm", "down_mm", "across_mm")

    shape = forms.ChoiceField(label="Shape", choices=[("ellipsoid", "Ellipsoid"), ("box", "Box")])
    x_mm = forms.FloatField(label="x, to the patient's left (mm)")
    y_mm = forms.FloatField(label="y, to the back (mm)")
    z_mm = forms.FloatField(label="z, to the head (mm)")
    across_mm = forms.FloatField(
        label="Across, along a row (mm)", initial=20.0, min_value=1, max_value=500
    )
    down_mm = forms.FloatField(
        label="Down, along a column (mm)", initial=20.0, min_value=1, max_value=500
    )
    through_mm = forms.FloatField(
        label="Through the planes (mm)", initial=20.0, min_value=1, max_value=500
    )
    instead_of = forms.TypedChoiceField(
        label="Keep it", coerce=int, empty_value=None, required=False
    )

    def __init__(self, *args, rows: Iterable[LesionRead], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        numbers = [(row.number, f"in place of region {row.number}") for row in rows]
        self.fields["instead_of"].choices = [("", "as a new region"), *numbers]

    def middle_mm(self) -> tuple[float, ...]:
        return tuple(self.cleaned_data[name] for name in self.MIDDLE)

    def size_mm(self) -> tuple[float, ...]:
        return tuple(self.cleaned_data[name] for name in self.SIZE)

    def told(self) -> str:
        """The shape in one line, by which what is kept is known for what was shown."""
        return " ".join(map(str, (self.cleaned_data["shape"], *self.middle_mm(), *self.size_mm())))


class RegionDecisionForm(ActForm):
    """What a reader says of one region. What belongs to the other decision is left out."""

    decision = forms.ChoiceField(choices=LesionRead.Decision.choices[1:], widget=forms.RadioSelect)
    region = forms.ChoiceField(
        label="Where it lies",
        choices=[("", "Not stated"), *reading_terms.REGIONS],
        required=False,
    )
    positivity = forms.ChoiceField(
        label="Looks, beside the reference region",
        choices=LesionRead.Positivity.choices,
        required=False,
    )
    organ = forms.ChoiceField(label="Whose uptake it is", required=False)
    reason = forms.CharField(
        label="Why it is no lesion", max_length=200, required=False, initial="physiological uptake"
    )

    def __init__(self, *args, tracer: str, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        usual = reading_terms.usual_organs(tracer)
        organs = reading_terms.organs_for(tracer)
        groups = [
            (f"Usual for {tracer}", [one for one in organs if one[0] in usual]),
            ("Other", [one for one in organs if one[0] not in usual]),
        ]
        # Asked of one decision and not of the other: the service says which.
        for name in ("region", "positivity", "organ", "reason"):
            self.fields[name].is_conditional = True
        self.fields["organ"].choices = [
            ("", "Choose the organ"),
            *(one for one in groups if one[1]),
        ]

    def clean(self) -> dict:
        found = super().clean()
        found["positivity"] = found.get("positivity") or LesionRead.Positivity.NOT_STATED
        is_excluded = found.get("decision") == LesionRead.Decision.EXCLUDED
        if is_excluded and not found.get("organ") and "organ" not in self.errors:
            self.add_error("organ", "Choose the organ; of an artefact or an inflammation, “Other”.")
        return found


class OpenReadForm(ActForm):
    """Why a series is read again that was signed; nothing is asked the first time."""

    reason = forms.CharField(
        label="Why it is read again",
        max_length=200,
        help_text="A few words; they go into the trail.",
    )

    def __init__(self, *args, is_again: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not is_again:
            del self.fields["reason"]


class CompareForm(ActForm):
    """What is asked before two scans are compared: a shift, and why again.

    In one frame of reference a shift is for where the patient moved all the same.
    """

    SHIFT = ("x_mm", "y_mm", "z_mm", "how")

    x_mm = forms.FloatField(label="x, to the patient's left (mm)")
    y_mm = forms.FloatField(label="y, to the back (mm)")
    z_mm = forms.FloatField(label="z, to the head (mm)")
    how = forms.CharField(
        label="How the shift was found",
        max_length=200,
        help_text="What was laid on what, and with which program.",
    )
    reason = forms.CharField(
        label="Why they are compared again",
        max_length=200,
        help_text="A few words; they go into the trail.",
    )

    def __init__(self, *args, needs_shift: bool, is_again: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in self.SHIFT:
            self.fields[name].required = needs_shift
        if not is_again:
            del self.fields["reason"]

    def clean(self) -> dict:
        """A shift is whole: three numbers, and how they were found; or it is not there."""
        found = super().clean()
        missing = [name for name in self.SHIFT if found.get(name) in (None, "")]
        if len(missing) < len(self.SHIFT):
            for name in missing:
                if name not in self.errors:
                    self.add_error(name, "A shift is x, y and z, and how it was found.")
        return found


class OnePerLine(forms.CharField):
    """Several values, one a line; none is a list too."""

    def __init__(self, **more) -> None:
        widget = forms.Textarea(attrs={"rows": 3})
        super().__init__(widget=widget, required=False, max_length=2000, **more)

    def to_python(self, value) -> list[str]:
        lines = super().to_python(value).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def prepare_value(self, value):
        return "\n".join(value) if isinstance(value, list) else value


class NodeForm(ActForm):
    """A node as it is registered."""

    called_ae_title = forms.CharField(
        label="Called AE title",
        max_length=16,
        help_text="What the scanner calls; taken once in the whole system, and never again.",
    )
    calling_ae_titles = OnePerLine(
        label="Calling AE titles", help_text="Who may call, one a line. None: any."
    )
    allowed_addresses = OnePerLine(
        label="Addresses",
        help_text="From where, one a line: 10.1.2.3 or 10.1.2.0/24. None: this server alone.",
    )


class NodeChangeForm(NodeForm):
    """A node's callers said anew, with a reason."""

    called_ae_title = None
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class ResponseAnswersForm(ActForm):
    """What a reader answers to the questions of the scales of response; none has to be."""

    def __init__(self, *args, questions: Sequence[Question], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for one in questions:
            self.fields[one.code] = forms.ChoiceField(
                label=one.text, choices=[("", "Not answered"), *one.choices], required=False
            )


class BeginAdjudicationForm(ActForm):
    """To be shown the reads needs no more than the button."""


class TakeOverForm(ActForm):
    """Why another reader's adjudication is taken over."""

    reason = forms.CharField(
        label="Reason",
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Why who began it can't end it, naming nobody.",
    )


class AdjudicationForm(ActForm):
    """Which read holds, why, and the password."""

    choice = forms.ChoiceField(label="What holds", widget=forms.RadioSelect)
    reason = forms.CharField(
        label="Reason",
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What speaks for it, without naming anybody.",
    )
    password = Password()

    def __init__(self, *args, letters: Sequence[str], has_own: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        choices = [(one, f"The read of reader {one}") for one in letters]
        if has_own:
            choices.append(("anew", "My own read, signed"))
        self.fields["choice"].choices = choices


# What is asked of a lesion, the one that a refusal is shown beside first.
PARTS = ("diameter_mm", "state", "region")


class RecistForm(ActForm):
    """Lesions on CT: of a baseline where each lies, of a later scan what became of them."""

    def __init__(self, *args, baseline: Lesions | None, lesions: Lesions, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.is_baseline = baseline is None
        self.where = {one.name: one.region for one in baseline or ()}
        held = {one.name: one for one in lesions}
        kinds = ("T", "N") if self.is_baseline else ("X",)
        listed = [name for kind in kinds for name in recist_lesions.NAMES[kind]]
        self.names = [*self.where, *listed]
        for name in self.names:
            self._ask(name, held.get(name))
        self.field_of = {
            name: next(f"{name}_{part}" for part in PARTS if f"{name}_{part}" in self.fields)
            for name in self.names
        }

    def _ask(self, name: str, held: RecistLesion | None) -> None:
        is_target = name in recist_lesions.NAMES["T"]
        if name not in self.where:
            self.fields[f"{name}_region"] = forms.ChoiceField(
                label=f"{name}, where",
                choices=[("", "None"), *reading_terms.REGIONS],
                required=False,
                initial=held.region if held else "",
            )
        else:
            states = recist_lesions.STATES[name[0]]
            self.fields[f"{name}_state"] = forms.ChoiceField(
                label=f"{name}, what became of it",
                choices=[("", "Not stated"), *states],
                required=False,
                initial=held.state if held else "",
            )
        if is_target:
            self.fields[f"{name}_diameter_mm"] = forms.FloatField(
                label=f"{name}, length in mm",
                required=False,
                min_value=0.1,
                max_value=recist_lesions.LONGEST_MM,
                initial=held.diameter_mm if held else None,
            )

    @property
    def rows(self) -> list[dict]:
        """The fields of each lesion, and where it lies if that is known."""
        words = dict(reading_terms.REGIONS)
        return [
            {
                "name": name,
                "kind": recist_lesions.KINDS[name[0]],
                "where": words.get(self.where.get(name, ""), ""),
                **{
                    part: self[f"{name}_{part}"]
                    for part in PARTS
                    if f"{name}_{part}" in self.fields
                },
            }
            for name in self.names
        ]

    def lesions(self) -> list[RecistLesion]:
        """What was typed in; a row that is empty is no lesion."""
        return [one for name in self.names if (one := self._lesion(name)) is not None]

    def _lesion(self, name: str) -> RecistLesion | None:
        given = {part: self.cleaned_data.get(f"{name}_{part}") for part in PARTS}
        length = given["diameter_mm"]
        if name in self.where:
            return RecistLesion(name, self.where[name], given["state"] or "", length)
        if not given["region"] and length is None:
            return None
        state = "measured" if name[0] == "T" else "present"
        return RecistLesion(name, given["region"] or "", state, length)
