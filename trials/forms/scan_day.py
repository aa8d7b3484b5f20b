"""Forms of a scan day: batches, scanners, clocks, and the syringe."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import F
from django.forms.widgets import Script

from trials import accountability
from trials.forms.base import ActForm, SiteMoment
from trials.forms.conduct import Day
from trials.models import Batch, ClockReading, HeaderStatement, Injection, Scanner
from trials.services import injections
from trials.variables import VARIABLES

GLUCOSE_UNITS = VARIABLES["glucose"].units


class _Certificate(ActForm):
    """What a certificate of analysis says; a result that it does not state stays empty."""

    certificate = forms.CharField(
        max_length=200, required=False, help_text="The certificate of analysis, as filed."
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name, one in accountability.RELEASE_DATA.items():
            self.fields[name] = forms.FloatField(
                label=f"{one.label} ({one.unit})" if one.unit else one.label,
                required=False,
                min_value=one.low,
                max_value=one.high,
            )


class BatchForm(_Certificate):
    ORDER = ("tracer", "number", "calibration_activity_mbq", "calibrated_at", "expires_at")

    tracer = forms.ChoiceField()
    number = forms.CharField(label="Batch number", max_length=60)
    calibration_activity_mbq = forms.FloatField(label="Activity at calibration (MBq)")
    calibrated_at = SiteMoment(label="Calibrated at")
    expires_at = SiteMoment(label="Expires at")
    released_at = SiteMoment(label="Released at", required=False)
    released_by = forms.CharField(
        label="Released by",
        max_length=120,
        required=False,
        help_text="The qualified person. Leave time and name empty until it is released.",
    )

    def __init__(self, *args, tracers, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tracer"].choices = [(one.identifier, one.name) for one in tracers]
        self.order_fields([*self.ORDER, "certificate", *accountability.RELEASE_DATA])


class CertificateForm(_Certificate):
    """A batch as it is recorded, to be completed or corrected; of a release that there was."""

    TIMES = ("calibrated_at", "expires_at", "released_at")
    ORDER = ("number", "calibration_activity_mbq", *TIMES, "released_by")

    number = forms.CharField(label="Batch number", max_length=60)
    calibration_activity_mbq = forms.FloatField(label="Activity at calibration (MBq)")
    calibrated_at = SiteMoment(label="Calibrated at")
    expires_at = SiteMoment(label="Expires at")
    released_at = SiteMoment(label="Released at")
    released_by = forms.CharField(label="Released by", max_length=120)
    reason = forms.CharField(
        max_length=200,
        help_text="As “certificate arrived”, or why it is corrected. It goes into the trail.",
    )

    def __init__(self, *args, batch: Batch, **kwargs) -> None:
        names = (*self.ORDER, "certificate", *accountability.RELEASE_DATA)
        initial = {name: getattr(batch, name) for name in names}
        super().__init__(*args, initial=initial, zone=batch.site.time_zone, **kwargs)
        if batch.released_at is None:
            del self.fields["released_at"], self.fields["released_by"]
        self.order_fields([*names, "reason"])

    def clean(self) -> dict[str, Any]:
        """What was not touched stays to the microsecond: the page shows whole seconds."""
        found = super().clean()
        for name in self.TIMES:
            known = self.initial[name]
            if known and found.get(name) == known.replace(microsecond=0):
                found[name] = known
        return found


class BatchReleaseForm(ActForm):
    released_at = SiteMoment(label="Released at")
    released_by = forms.CharField(label="Released by", max_length=120)


class ScannerForm(ActForm):
    name = forms.CharField(max_length=60, help_text="As the site calls it.")
    manufacturer = forms.CharField(max_length=80)
    model = forms.CharField(max_length=80)
    software = forms.CharField(label="Software version", max_length=80, required=False)
    serial_number = forms.CharField(max_length=80, required=False)
    station_name = forms.CharField(
        max_length=40, required=False, help_text="Station Name (0008,1010) in its images."
    )


class ScannerRetireForm(ActForm):
    on = Day(label="Not used from")
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class QualificationForm(ActForm):
    tracer = forms.ChoiceField()
    valid_from = Day(label="Valid from")
    valid_until = Day(label="Valid until")
    reference = forms.CharField(max_length=200, help_text="The report, as filed.")

    def __init__(self, *args, tracers, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tracer"].choices = [(one.identifier, one.name) for one in tracers]


class CrossCalibrationForm(ActForm):
    factor = forms.FloatField(
        label="Scanner over dose calibrator",
        help_text="Shown and judged by its validity; never applied to a number.",
    )
    valid_from = Day(label="Valid from")
    valid_until = Day(label="Valid until")
    reference = forms.CharField(max_length=200, help_text="The report, as filed.")


class ClockForm(ActForm):
    instrument = forms.ChoiceField(choices=ClockReading.Instrument.choices)
    scanner = forms.ModelChoiceField(
        Scanner.objects.none(), required=False, help_text="If it is a scanner's clock."
    )
    ahead_s = forms.FloatField(
        label="Ahead of the reference clock (s)", help_text="Negative if it was behind."
    )
    read_at = SiteMoment(label="Compared at")

    def __init__(self, *args, scanners, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scanner"].queryset = scanners


# What image headers state, by the field it is typed in, with its unit in words.
STATED = {
    "assayed_activity_mbq": ("activity_mbq", " MBq at the injection, gross or net"),
    "injected_at": ("injected_at", ""),
    "weight_kg": ("weight_kg", " kg"),
    "height_cm": ("height_cm", " cm"),
}


class _OfScanners(forms.ModelChoiceField):
    """The scanners of a site, and since when one is retired."""

    def label_from_instance(self, obj: Scanner) -> str:
        return f"{obj}, retired {obj.retired_on}" if obj.retired_on else str(obj)


class InjectionForm(ActForm):
    """The injection with what it came from, and why, if the gate was red."""

    batch = forms.ModelChoiceField(Batch.objects.none(), required=False, empty_label="Not named")
    scanner = _OfScanners(Scanner.objects.none(), required=False, empty_label="Not named")
    assayed_activity_mbq = forms.FloatField(label="Assayed activity (MBq)")
    assayed_at = SiteMoment(label="Assayed at")
    injected_at = SiteMoment(label="Injected at")
    residual_activity_mbq = forms.FloatField(
        label="Residual activity (MBq)",
        required=False,
        help_text="What stayed in syringe and line. Nothing left is 0.",
    )
    residual_at = SiteMoment(label="Residual measured at", required=False)
    is_residual_unmeasured = forms.BooleanField(
        label="The residual was not measured",
        required=False,
        help_text="It is then unknown, not zero, and a query asks about it.",
    )
    weight_kg = forms.FloatField(label="Weight on the day (kg)")
    height_cm = forms.FloatField(label="Height (cm)", required=False)
    route = forms.CharField(max_length=40, initial="intravenous")
    body_site = forms.CharField(
        label="Site of injection",
        max_length=60,
        required=False,
        help_text="Such as right antecubital vein.",
    )
    extravasation = forms.ChoiceField(
        choices=Injection.Extravasation.choices,
        initial=Injection.Extravasation.NOT_STATED,
        required=False,
    )
    comment = forms.CharField(max_length=400, required=False)
    glucose = forms.FloatField(
        label="Plasma glucose",
        required=False,
        help_text="If it is not among the evidence of the day yet; it becomes part of it.",
    )
    glucose_unit = forms.ChoiceField(
        label="Unit of the glucose", choices=[(one, one) for one in GLUCOSE_UNITS], required=False
    )
    glucose_at = SiteMoment(label="Glucose measured at", required=False)
    despite = forms.CharField(
        label="Why it was given although the gate is red",
        max_length=400,
        required=False,
        help_text="Only if a line of the gate is red: it is recorded as an important deviation.",
    )
    is_difference_confirmed = forms.BooleanField(
        label="I looked at the source again: the record is right, the images say otherwise",
        required=False,
        help_text="Only where what you enter is not what the images say.",
    )

    class Media:
        js = [Script("trials/stated.js", type="module")]

    def __init__(self, *args, site, statement=None, **kwargs) -> None:
        super().__init__(*args, zone=site.time_zone, **kwargs)
        self.fields["batch"].queryset = site.batches.all()
        # A retired one too: an injection before may be recorded, and is corrected, later.
        self.fields["scanner"].queryset = site.scanners.order_by(
            F("retired_on").desc(nulls_first=True), "pk"
        )
        if statement is None:
            del self.fields["is_difference_confirmed"]
        else:
            self._offer(statement)

    def _offer(self, statement: HeaderStatement) -> None:
        """Show beside each field what the images say, to be taken over by a button."""
        for name, (stated, unit) in STATED.items():
            value = getattr(statement, stated)
            if value is None:
                continue
            field = self.fields[name]
            is_time = isinstance(value, datetime)
            plain = (
                field.widget.format_value(field.prepare_value(value)) if is_time else f"{value:g}"
            )
            if name != "assayed_activity_mbq":
                # That one is of another moment: to take it over would count it as the assay.
                field.widget.attrs["data-stated"] = plain
            said = plain.replace("T", " ") + unit
            field.help_text = f"{field.help_text} The images say {said}.".strip()

    def clean(self) -> dict:
        found = super().clean()
        found["extravasation"] = found.get("extravasation") or Injection.Extravasation.NOT_STATED
        is_measured = found.get("residual_activity_mbq") is not None
        if is_measured == found.pop("is_residual_unmeasured", False):
            self.add_error(
                "residual_activity_mbq",
                "Enter the residual and its time, or say that it was not measured: one of both.",
            )
        self._gather_glucose(found)
        return found

    def _gather_glucose(self, found: dict) -> None:
        value, unit, at = (
            found.pop(name, None) for name in ("glucose", "glucose_unit", "glucose_at")
        )
        if value is None:
            return
        if at is None:
            self.add_error("glucose_at", "Say when the glucose was measured.")
            return
        found["glucose"] = injections.Glucose(value=value, unit=unit, measured_at=at.isoformat())


class InjectionCorrectionForm(InjectionForm):
    """What was recorded, to be corrected with a reason."""

    reason = forms.CharField(
        max_length=200, help_text="Why it is corrected; it goes into the trail."
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in ("despite", "glucose", "glucose_unit", "glucose_at"):
            del self.fields[name]


class CancelForm(ActForm):
    reason = forms.CharField(max_length=200, help_text="Why; the plan can be scheduled again.")
