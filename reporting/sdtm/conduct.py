"""DV: protocol deviations."""

from __future__ import annotations

from reporting.sdtm.draft import Draft


def add(draft: Draft) -> None:
    """A record for each deviation."""
    for row in draft.source.rows("deviations"):
        subject = draft.subject(row)
        record = draft.add(
            "DV",
            subject,
            DVSPID=str(row["deviation"]),
            DVTERM=row["text"],
            DVDECOD=(row["rule"] or "").upper(),
            DVSTDTC=subject.local(row["occurred_at"]),
        )
        record.supplement("DVSTATE", "State of the Deviation", row["state"])
        record.supplement("DVIMPORT", "Important Deviation", row["is_important"], "Assigned")
        record.supplement("DVVALUES", "Numbers the Rule Compared", row["values"], "Derived")
        record.supplement("DVABOUT", "What It Is About", f"{row['about_table']} {row['about_pk']}")
