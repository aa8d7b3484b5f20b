"""Forms of monitoring visits."""

from __future__ import annotations

from django import forms

from trials.forms.base import ActForm
from trials.forms.conduct import Day, Password
from trials.models import MonitoringVisit

Paragraphs = forms.Textarea


class VisitReportForm(ActForm):
    kind = forms.ChoiceField(label="Kind of visit", choices=MonitoringVisit.Kind.choices)
    held_on = Day(label="Held on")
    attendees = forms.CharField(
        label="Who was there",
        max_length=2000,
        widget=Paragraphs(attrs={"rows": 3}),
        help_text="Name and function, one in a line. No patient is named in a report.",
    )
    summary = forms.CharField(
        label="What was looked at",
        max_length=20_000,
        widget=Paragraphs(attrs={"rows": 6}),
        help_text="Consents, source data, eligibility, tracer, images, files, and how it went on.",
    )
    findings = forms.CharField(
        max_length=20_000,
        required=False,
        widget=Paragraphs(attrs={"rows": 6}),
        help_text="One in a line; name a patient by the trial's code alone. Empty: none.",
    )


class VisitCorrectionForm(VisitReportForm):
    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class VisitSignForm(ActForm):
    version = forms.IntegerField(widget=forms.HiddenInput)
    password = Password()


class ActionItemForm(ActForm):
    text = forms.CharField(
        label="What is to be done", max_length=2000, widget=Paragraphs(attrs={"rows": 3})
    )
    owner = forms.CharField(max_length=120, help_text="Who does it: name or function.")
    due_on = Day(label="Due on")


class ItemTurnForm(ActForm):
    text = forms.CharField(
        label="What was done or seen", max_length=2000, widget=Paragraphs(attrs={"rows": 3})
    )
