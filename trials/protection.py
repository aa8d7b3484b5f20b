"""What the database itself guards: which tables are audited, and what the runtime role may do.

Everything is audited and nothing may be deleted, unless this page says otherwise and why.
The names are tables; the SQL is made from them by `trials.services.database`.
"""

from __future__ import annotations

from collections.abc import Iterable

# Tables of ours without an audit trigger.
NOT_AUDITED = {
    "trials_auditevent": "is the trail",
    "imaging_dicomcontact": "who called a DICOM node last, many times a day; what comes is audited",
    "trials_formdraft": "what is typed into a form, every few seconds; its record begins when the "
    "form is complete, and from there every change is in the trail",
    "trials_job": "heartbeats many times a minute; what a job changes is audited itself",
}

# Columns whose values must not be copied into the trail.
HIDDEN_COLUMNS = {
    "trials_user": ("password", "last_login"),
    "trials_apitoken": ("digest",),
    "trials_calendarfeed": ("digest",),
    "trials_sendingtoken": ("digest",),
    "trials_trial": ("uid_key",),
    "trials_patient": ("date_shift_days",),
    # The file and what it would do: long, and fixed by the digests beside them.
    "trials_formimport": ("content", "plan"),
}

# The application's role reads these and no more. The framework's groups and permissions give
# nobody a right here, and its content types are written by migrate.
READ_ONLY = (
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
    "trials_auditevent",
)

# What was signed or proved is not edited by anything the application does.
INSERT_ONLY = (
    "trials_signature",
    "imaging_deidentificationproof",
    "reporting_populationmember",
)

# Tables that hold no trial data, where the framework deletes rows of its own: counts of failed
# log-ins and sessions. Its log of log-ins is not among them.
DELETABLE_PREFIXES = ("axes_accessattempt", "django_session")


def audited_tables(tables: Iterable[str]) -> list[str]:
    """The tables among `tables` that carry the audit trigger.

    >>> audited_tables(["trials_patient", "trials_job", "axes_accesslog"])
    ['trials_patient']
    """
    ours = ("trials_", "imaging_", "reporting_")
    return sorted(t for t in tables if t.startswith(ours) and t not in NOT_AUDITED)


def privileges(table: str) -> str:
    """What the application's role may do with `table`.

    >>> privileges("trials_patient")
    'select, insert, update'
    """
    if table in READ_ONLY:
        return "select"
    if table in INSERT_ONLY:
        return "select, insert"
    if table.startswith(DELETABLE_PREFIXES):
        return "select, insert, update, delete"
    return "select, insert, update"
