"""A patient of the demonstration's smaller trials: consented, judged eligible, signed, enrolled."""

from __future__ import annotations

from datetime import date

from config.demo.accounts import PASSWORD, user_of
from trials.models import Patient, Site
from trials.roles import Role
from trials.services import assessments, consents, enrolment, evidence, patients, verdicts

FACTS = {"histology.confirmed": True, "diagnosis.group": "NHL"}


def enrolled(site: Site, *, sex_at_birth: str, birth: str, consented_on: date) -> Patient:
    """By the coordinator and the investigator of the site."""
    by = user_of(Role.COORDINATOR, site.code)
    leader = user_of(Role.INVESTIGATOR, site.code)
    day = consented_on.isoformat()
    patient = patients.register(site, sex_at_birth=sex_at_birth, birth=birth, by=by)
    consents.record(
        patient,
        version="1.0",
        language="en",
        signed_at=day,
        signatory="patient",
        obtained_by="",
        obtained_by_user=leader,
        copy_given=True,
        by=by,
    )
    for variable, value in FACTS.items():
        evidence.record(
            patient,
            variable=variable,
            value=value,
            unit="",
            observed_at=day,
            is_study_specific=False,
            source="pathology report",
            by=by,
        )
    made = assessments.assess(patient, gate="enrolment", by=by)
    verdicts.sign(made, by=leader, password=PASSWORD)
    return enrolment.enrol(patient, by=by)
