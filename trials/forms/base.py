"""Forms of the trial's pages. They shape input; whether it may be recorded the services say."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils import timezone

from trials.models import (
    Consent,
    Delegation,
    Evidence,
    Patient,
    PlannedScan,
    ScheduledScan,
    Site,
    User,
)
from trials.services import consents, delegations
from trials.services.errors import Invalid, Refused
from trials.variables import VARIABLES
from trials.vocabulary import Detail, Variable

# Rows for events in a form; a correction of a longer list shows all of it and one more.
EVENT_ROWS = 4
# What an event is made of, with the width of its input in characters.
EVENT_PARTS = {
    "name": ("Name", 24),
    "started_on": ("Started", 10),
    "stopped_on": ("Stopped", 10),
    "radionuclide": ("Radionuclide, if any", 8),
}
EVENT_HELP = "Dates as far as known: 2025-06. Without a date of its stop it goes on."
YES_NO_UNKNOWN = [("yes", "Yes"), ("no", "No"), ("unknown", "Asked, not known")]
ANSWERS = {"yes": True, "no": False, "unknown": None}
PARTIAL_HELP = "As precise as the source: 2026-03-02, 2026-03 or 2026."


class SiteMoment(forms.DateTimeField):
    """A date and time on the wall clock of a site, made a moment by the site's time zone."""

    zone = ZoneInfo("UTC")

    def __init__(self, **kwargs) -> None:
        widget = forms.DateTimeInput(
            attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"
        )
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(self.zone):
            return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(self.zone):
            return super().prepare_value(value)


class PartialMoment(forms.CharField):
    """A date as far as known, or a date and time on the wall clock of a site."""

    zone = ZoneInfo("UTC")

    def clean(self, value: Any) -> str:
        text = super().clean(value).replace(" ", "T", 1)
        if "T" not in text:
            return text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValidationError(
                "Give a date and time as 2026-03-02 08:15, on the clock of the site."
            ) from None
        if moment.tzinfo is not None:
            return text
        with timezone.override(self.zone):
            return from_current_timezone(moment).isoformat()


class EventField(forms.MultiValueField):
    """Something that began and ended, such as a therapy: one row of inputs."""

    def __init__(self, **kwargs) -> None:
        inputs = {
            part: forms.TextInput(
                attrs={
                    "class": "form-control d-inline-block w-auto me-2 mb-2",
                    "aria-label": label,
                    "placeholder": label,
                    "size": width,
                }
            )
            for part, (label, width) in EVENT_PARTS.items()
        }
        parts = [forms.CharField(max_length=length) for length in (120, 10, 10, 10)]
        widget = EventInputs(inputs)
        super().__init__(parts, widget=widget, required=False, **kwargs)

    def compress(self, values: list[str]) -> dict[str, str]:
        event = {part: text for part, text in zip(EVENT_PARTS, values, strict=False) if text}
        if event and "name" not in event:
            raise ValidationError("Name what these dates belong to.")
        return event


class EventInputs(forms.MultiWidget):
    def decompress(self, event: dict[str, str] | None) -> list[str]:
        return [(event or {}).get(part, "") for part in EVENT_PARTS]


class ActForm(forms.Form):
    """Input of one act of a service; the site's time zone fixes what its clocks mean."""

    # Fields of the service that go by another name here.
    field_of: dict[str, str] = {}
    # The HTTP status of what the service refused.
    refused_with: int | None = None

    def __init__(self, *args, zone: str = "UTC", **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, SiteMoment | PartialMoment):
                field.zone = ZoneInfo(zone)
                field.help_text = f"{field.help_text} Time of the site ({zone}).".strip()

    def refuse(self, refusal: Refused) -> None:
        """Show what the service refused: beside the field it is about, else above the form."""
        self.refused_with = refusal.status
        named = refusal.field if isinstance(refusal, Invalid) else ""
        field = self.field_of.get(named, named)
        self.add_error(field if field in self.fields else None, refusal.message)


class TextForm(ActForm):
    """A sentence or two: an answer, a reason, a question."""

    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), max_length=4000)

    def __init__(self, *args, label: str = "Text", **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = label


class PatientForm(ActForm):
    site = forms.ModelChoiceField(Site.objects.none())
    sex_at_birth = forms.ChoiceField(
        label="Sex at birth", choices=Patient.Sex.choices, widget=forms.RadioSelect
    )
    birth = forms.CharField(label="Date of birth", max_length=10, help_text=PARTIAL_HELP)

    def __init__(self, *args, sites, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        field.queryset = sites
        field.label_from_instance = lambda site: f"{site.trial}, {site}"


class PatientCorrectionForm(ActForm):
    sex_at_birth = forms.ChoiceField(
        label="Sex at birth", choices=Patient.Sex.choices, widget=forms.RadioSelect
    )
    birth = forms.CharField(label="Date of birth", max_length=10, help_text=PARTIAL_HELP)
    reason = forms.CharField(max_length=200, help_text="Why it changes, in a few words.")


class ConsentForm(ActForm):
    version = forms.CharField(
        label="Version of the consent form", max_length=40, help_text="As printed on the paper."
    )
    language = forms.CharField(max_length=10, initial="en", help_text="Code, such as en or de.")
    signed_at = PartialMoment(
        label="Signed",
        max_length=32,
        help_text="2026-03-02, or with the time if the paper shows it: 2026-03-02 08:15.",
    )
    signatory = forms.ChoiceField(
        label="Signed by",
        choices=Consent.Signatory.choices,
        initial=Consent.Signatory.PATIENT,
        widget=forms.RadioSelect,
    )
    obtained_by_user = forms.ModelChoiceField(
        User.objects.none(),
        label="Obtained by",
        required=False,
        empty_label="Somebody else, named below",
        help_text="Who explained the trial and signed; these are delegated to obtain consent.",
    )
    obtained_by = forms.CharField(label="Somebody else", max_length=120, required=False)
    copy_given = forms.TypedChoiceField(
        label="Copy given to the patient",
        choices=YES_NO_UNKNOWN,
        coerce=ANSWERS.get,
        widget=forms.RadioSelect,
    )
    options = forms.MultipleChoiceField(
        label="Optional consents given",
        choices=list(consents.OPTIONS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What is not ticked was refused or not asked.",
    )

    def __init__(self, *args, site: Site, **kwargs) -> None:
        super().__init__(*args, zone=site.time_zone, **kwargs)
        holders = delegations.delegated(site, Delegation.Duty.CONSENT)
        field = self.fields["obtained_by_user"]
        field.queryset = User.objects.filter(pk__in=[one.pk for one in holders])
        in_force = consents.forms_in_force(site)
        if in_force:
            told = ", ".join(f"{one.version} ({one.language})" for one in in_force)
            self.fields["version"].help_text = f"As printed on the paper. In force here: {told}."
            self.initial.setdefault("version", in_force[0].version)

    def clean(self) -> dict:
        found = super().clean()
        if not found.get("obtained_by_user") and not found.get("obtained_by"):
            self.add_error("obtained_by", "Name who explained the trial.")
        found["options"] = dict.fromkeys(found.get("options", []), True)
        return found


class ReasonForm(ActForm):
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class AccountEndForm(ReasonForm):
    is_confirmed = forms.BooleanField(
        label="This is the person, and they may do nothing from now on",
        help_text="An ended account is not opened again: who comes back gets a new one.",
        error_messages={"required": "Say that this is the person."},
    )


class FactForm(ActForm):
    """The value of one variable, its unit, when it was observed and where that stands."""

    observed_at = PartialMoment(
        label="Observed",
        max_length=32,
        help_text="2026-03-02, 2026-03 or 2026; with the time where it matters: 2026-03-02 08:15.",
    )
    source = forms.CharField(
        max_length=200, help_text="The document, device or person that says so."
    )

    def __init__(self, *args, variable: Variable, evidence: Evidence | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.variable = variable
        items = evidence.value if evidence and isinstance(evidence.value, list) else []
        self.rows = range(1, max(EVENT_ROWS, len(items) + 1) + 1)
        fields = _value_fields(variable, self.rows)
        if variable.units:
            fields["unit"] = forms.ChoiceField(choices=[(unit, unit) for unit in variable.units])
        fields |= {f"detail_{one.name}": _detail_field(one) for one in variable.details}
        if evidence:
            self.initial |= _as_typed(variable, evidence)
        self.fields = fields | self.fields
        if "value" not in self.fields:
            self.field_of = {"value": "none"}

    def clean(self) -> dict:
        found = super().clean()
        if self.variable.kind == "list":
            found["value"] = self._list(found)
        found.setdefault("unit", "")
        return found

    def fact(self) -> dict:
        """What the service records: value, unit, time and source."""
        found = self.cleaned_data
        details = {
            one.name: found[f"detail_{one.name}"]
            for one in self.variable.details
            if found.get(f"detail_{one.name}") not in (None, "")
        }
        kept = {name: found[name] for name in ("value", "unit", "observed_at", "source")}
        return kept | {"details": details}

    def _list(self, found: dict) -> list:
        rows = (found.get(f"entry_{row}") for row in self.rows)
        items = found.get("codes", []) if self.variable.choices else list(filter(None, rows))
        if items and found.get("none"):
            self.add_error("none", "Either there was none, or there are entries: not both.")
        if not items and not found.get("none"):
            self.add_error("none", "Enter what there was, or say that there was none.")
        return items


class EvidenceForm(FactForm):
    is_study_specific = forms.TypedChoiceField(
        label="Done for",
        choices=[("no", "Standard of care"), ("yes", "This study: needs consent before it")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args, scans, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.variable.is_per_scan:
            field = forms.ModelChoiceField(scans, label="For the scan", empty_label=None)
            field.label_from_instance = _scan_label
            self.fields = {"scheduled_scan": field} | self.fields


class CorrectionForm(FactForm):
    reason = forms.CharField(max_length=200, help_text="Why the value changes, in a few words.")


class ScanForm(ActForm):
    planned_scan = forms.ModelChoiceField(PlannedScan.objects.none(), label="Scan")
    planned_at = SiteMoment(label="Planned for")

    def __init__(self, *args, plans, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["planned_scan"].queryset = plans


class RescheduleForm(ActForm):
    planned_at = SiteMoment(label="New time")
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


def _scan_label(scan: ScheduledScan) -> str:
    return f"{scan.planned_scan}, {scan.planned_at:%Y-%m-%d}"


def _detail_field(detail: Detail) -> forms.Field:
    if detail.choices:
        choices = [("", "Not stated"), *detail.choices]
        return forms.ChoiceField(label=detail.label, choices=choices, required=False)
    if detail.is_number:
        return forms.FloatField(label=detail.label, required=False)
    return forms.CharField(label=detail.label, max_length=120, required=False)


def _value_fields(variable: Variable, rows: range) -> dict[str, forms.Field]:
    label, hint = variable.label, variable.help
    if variable.kind == "list":
        return _list_fields(variable, rows)
    if variable.kind == "boolean":
        field: forms.Field = forms.TypedChoiceField(
            label=label,
            help_text=hint,
            choices=YES_NO_UNKNOWN,
            coerce=ANSWERS.get,
            widget=forms.RadioSelect,
        )
    elif variable.kind == "choice":
        field = forms.ChoiceField(label=label, help_text=hint, choices=variable.choices)
    else:
        is_number = variable.kind == "number"
        widget = forms.TextInput(attrs={"inputmode": "decimal"} if is_number else {})
        field = forms.CharField(label=label, help_text=hint, max_length=200, widget=widget)
    return {"value": field}


def _list_fields(variable: Variable, rows: range) -> dict[str, forms.Field]:
    none = forms.BooleanField(
        label=f"{variable.label}: none", required=False, help_text=variable.help
    )
    if variable.choices:
        codes = forms.MultipleChoiceField(
            label=variable.label,
            choices=variable.choices,
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        return {"codes": codes, "none": none}
    fields: dict[str, forms.Field] = {"none": none}
    for row in rows:
        hint = EVENT_HELP if row == rows[0] else ""
        fields[f"entry_{row}"] = EventField(label=f"Entry {row}", help_text=hint)
    return fields


def _as_typed(variable: Variable, evidence: Evidence) -> dict:
    """What the form shows of an earlier value, so that a correction starts from it."""
    shown = {f"detail_{name}": value for name, value in evidence.details.items()} | {
        "unit": evidence.unit,
        "observed_at": evidence.observed_at,
        "source": evidence.source,
        "value": evidence.value,
    }
    if variable.kind == "boolean":
        shown["value"] = {answer: key for key, answer in ANSWERS.items()}[evidence.value]
    if variable.kind == "list":
        items = evidence.value or []
        shown |= {"none": evidence.value == [], "codes": items}
        for row, item in enumerate(items, start=1):
            shown[f"entry_{row}"] = item
    return shown


def variable_choices() -> list[tuple[str, list[Variable]]]:
    """Variables by the occasion they are recorded on, each group in the order of its labels."""
    recorded = (one for one in VARIABLES.values() if not (one.is_derived or one.finding))
    ordered = sorted(recorded, key=lambda one: one.label.lower())
    return [
        ("About the patient", [one for one in ordered if not one.is_per_scan]),
        ("On the day of a scan", [one for one in ordered if one.is_per_scan]),
    ]
