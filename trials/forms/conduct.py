"""Forms about sites, delegations, versions and the sources of a trial."""

from __future__ import annotations

from django import forms
from django.db.models import Q, QuerySet

from trials.forms.base import ActForm
from trials.models import Delegation, Membership, Site, SiteApproval, User
from trials.services import settlements

PASSWORD_HELP = "Your own, once more: this is a signature."  # noqa: S105  a help text


class Day(forms.DateField):
    """A day, chosen from a calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class Password(forms.CharField):
    """The user's own password, asked for again to sign."""

    def __init__(self, **kwargs) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        given = {"label": "Your password", "help_text": PASSWORD_HELP, "strip": False}
        super().__init__(widget=widget, max_length=1000, **given | kwargs)


class ApprovalForm(ActForm):
    kind = forms.ChoiceField(label="What was granted", choices=SiteApproval.Kind.choices)
    tracer = forms.ChoiceField(
        label="Tracer", required=False, help_text="For a scanner: the tracer it is qualified for."
    )
    reference = forms.CharField(
        max_length=200, help_text="The document, as the site files it: number, date, version."
    )
    granted_on = Day(label="Granted on")
    expires_on = Day(label="Valid until", required=False, help_text="Empty: without an end.")

    def __init__(self, *args, tracers, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        named = [(one.identifier, one.name) for one in tracers]
        self.fields["tracer"].choices = [("", "Not about a tracer"), *named]


class ApprovalEndForm(ActForm):
    ended_on = Day(label="Last day it holds")
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class ConsentVersionForm(ActForm):
    version = forms.CharField(max_length=40, help_text="As printed on the form.")
    language = forms.CharField(max_length=10, initial="en", help_text="Code, such as en or de.")
    valid_from = Day(label="May be signed from")
    valid_until = Day(label="Until", required=False, help_text="Empty: until it is replaced.")
    requires_reconsent = forms.BooleanField(
        label="Patients who signed an earlier version have to sign this one", required=False
    )


class LeaderForm(ActForm):
    user = forms.ModelChoiceField(User.objects.none(), label="Principal investigator")
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")

    def __init__(self, *args, users, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = users


class DelegationForm(ActForm):
    user = forms.ModelChoiceField(User.objects.none(), label="Person")
    duty = forms.ChoiceField(choices=Delegation.Duty.choices)
    starts_on = Day(label="From")
    ends_on = Day(label="Until", required=False, help_text="Empty: until it is ended.")
    password = Password()

    def __init__(self, *args, users, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = users


class DelegationEndForm(ActForm):
    ends_on = Day(label="Last day")
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


class ActivationForm(ActForm):
    effective_on = Day(label="Holds from")
    reference = forms.CharField(
        label="Approval", max_length=200, help_text="The document, as the site files it."
    )


class FormMoveForm(ActForm):
    """The forms of a site move as they were shown."""

    digest = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300, help_text="It stands in the history of each form, as “Amendment 2”."
    )


class SettlementForm(ActForm):
    choice = forms.ChoiceField(label="What holds", widget=forms.RadioSelect)
    basis = forms.CharField(
        label="What this rests on",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The protocol and its page, or the sponsor's word.",
    )

    def __init__(self, *args, conflict: settlements.Conflict, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["choice"].choices = [
            (one.choice, one.text if one.choice == one.text else f"{one.choice}: {one.text}")
            for one in conflict.readings
        ]


class CohortForm(ActForm):
    reason = forms.CharField(max_length=200, help_text="A few words; they go into the trail.")


def users_of(site: Site) -> QuerySet[User]:
    """Who holds a role at a site today, by name."""
    held = Membership.objects.current().filter(
        Q(site=site) | Q(site__isnull=True), trial=site.trial_id
    )
    return User.objects.filter(pk__in=held.values("user"), is_system=False).order_by(
        "last_name", "first_name", "pk"
    )


class SendingTokenForm(ActForm):
    name = forms.CharField(
        label="Machine", max_length=40, help_text="Which archive or router it is for, as PACS 2."
    )
    expires_on = Day(label="Last day", help_text="A year from today at most.")
