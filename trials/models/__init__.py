"""The record of a trial, table by table."""

from trials.models.patient import (
    Consent,
    CriterionResult,
    EligibilityAssessment,
    Evidence,
    Patient,
)
from trials.models.people import ApiToken, Membership, User
from trials.models.record import AuditEvent, Deviation, Job, Query, QueryMessage
from trials.models.scan import Injection, ScheduledScan
from trials.models.scope import ScopedModel, ScopedQuerySet
from trials.models.trial import (
    EligibilityCriterion,
    PlannedScan,
    ProtocolVersion,
    Site,
    Tracer,
    Trial,
)

__all__ = [
    "ApiToken",
    "AuditEvent",
    "Consent",
    "CriterionResult",
    "Deviation",
    "EligibilityAssessment",
    "EligibilityCriterion",
    "Evidence",
    "Injection",
    "Job",
    "Membership",
    "Patient",
    "PlannedScan",
    "ProtocolVersion",
    "Query",
    "QueryMessage",
    "ScheduledScan",
    "ScopedModel",
    "ScopedQuerySet",
    "Site",
    "Tracer",
    "Trial",
    "User",
]
