"""A monitoring visit on paper: the report, and the letter that follows it up at the site."""

from __future__ import annotations

from reporting.sheets.blocks import Cell, Column, Facts, Sheet, Signing, State, Table, Text
from trials.models import ActionItem, MonitoringVisit, Signature
from trials.services import monitoring
from trials.services.errors import Refused

TONES = {
    ActionItem.State.OPEN: "warn",
    ActionItem.State.DONE: "calm",
    ActionItem.State.CLOSED: "good",
}


def report(visit: MonitoringVisit) -> Sheet:
    """The report as it stands; a draft as long as nobody signed just this."""
    signature = monitoring.signature_in_force(visit)
    return Sheet(
        title="Monitoring visit report",
        subject=f"{visit.get_kind_display()}, {visit.held_on}",
        banner="" if signature else "DRAFT: not signed",
        blocks=[
            Facts(
                "",
                [
                    ("Site", str(visit.site)),
                    ("Held on", f"{visit.held_on}"),
                    ("Principal investigator", str(visit.site.principal_investigator or "–")),
                    ("Report", f"version {visit.version}, by {visit.recorded_by}"),
                ],
            ),
            Text("Who was there", _lines(visit.attendees)),
            Text("What was looked at", _lines(visit.summary)),
            Text("Findings", _lines(visit.findings) or ["None."]),
            _items(list(visit.items.all())),
            _signature(signature),
        ],
    )


def letter(visit: MonitoringVisit) -> Sheet:
    """To the investigator: what was found and what is asked, of a signed report alone."""
    signature = monitoring.signature_in_force(visit)
    if signature is None:
        raise Refused(
            "not-signed", "The letter follows a signed report: sign the report first, then print."
        )
    leader = visit.site.principal_investigator
    open_items = [one for one in visit.items.all() if one.state != ActionItem.State.CLOSED]
    asked = (
        "The items below are not closed. Please see to them by their dates, say so on the page "
        "whose address is above, and file this letter in the investigator site file."
        if open_items
        else "Every action item of the visit is closed; nothing is asked of you. Please file this "
        "letter in the investigator site file."
    )
    return Sheet(
        title="Follow-up letter",
        subject=f"{visit.get_kind_display()} of {visit.held_on}",
        blocks=[
            Text(
                "",
                [
                    f"To {leader or 'the principal investigator'}, site {visit.site}",
                    f"Trial {visit.site.trial}",
                    f"Thank you for receiving us on {visit.held_on}. This letter sums up what was "
                    "found and what is to be done.",
                ],
            ),
            Text("What was looked at", _lines(visit.summary)),
            Text("Findings", _lines(visit.findings) or ["None."]),
            Text("", [asked]),
            _items(open_items),
            _signature(signature),
            Signing("Received at the site", ["principal investigator"]),
        ],
    )


def _items(items: list[ActionItem]) -> Table:
    rows: list[list[Cell]] = [
        [
            str(one.number),
            one.text,
            one.owner,
            f"{one.due_on}",
            State(one.get_state_display(), TONES[ActionItem.State(one.state)]),
        ]
        for one in items
    ]
    columns = [
        Column("No", is_number=True),
        Column("What is to be done", "4"),
        Column("Owner", "1.5"),
        Column("Due"),
        Column("State", "1.5"),
    ]
    return Table("Action items", columns, rows, "None.")


def _signature(signature: Signature | None) -> Text:
    """Name, time with zone and meaning (21 CFR 11.50)."""
    if signature is None:
        return Text("Signature", ["None: this report is a draft."])
    return Text(
        "Signature",
        [
            f"Signed electronically by {signature.signer_name}, "
            f"{signature.signed_at:%Y-%m-%d %H:%M:%S} UTC: {signature.get_meaning_display()}.",
            f"Content SHA-256 {signature.content_sha256}",
        ],
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
