"""Clocks of a site's instruments, compared with a reference clock.

What was injected since the comparison is counted anew by it, whenever it was recorded.
"""

from __future__ import annotations

from datetime import datetime

from trials import permissions
from trials.models import ClockReading, Scanner, Site, User
from trials.services import audit, injections, moments
from trials.services.errors import Invalid

Instrument = ClockReading.Instrument
# A clock that is a day off is set wrong; it is no offset to count with.
MOST_AHEAD_S = 6 * 3600.0


def compare(
    site: Site,
    *,
    instrument: str,
    ahead_s: float,
    read_at: datetime,
    by: User,
    scanner: Scanner | None = None,
) -> ClockReading:
    """Record by how many seconds an instrument's clock was ahead of a reference clock."""
    permissions.require(by, "injection.record", site)
    if instrument not in Instrument.values:
        raise Invalid("instrument", f"Expected one of {', '.join(Instrument.values)}.")
    if (instrument == Instrument.SCANNER) != (scanner is not None):
        raise Invalid("scanner", "Name the scanner whose clock it is, and no other's.")
    if scanner and scanner.site_id != site.pk:
        raise Invalid("scanner", f"{scanner} is not at {site}.")
    if not abs(ahead_s) <= MOST_AHEAD_S:
        raise Invalid("ahead_s", "A clock this far off has to be set, not corrected for.")
    read_at = moments.past(read_at, field="read_at")
    with audit.action("clock.read", actor=by, reason=instrument, trial=site.trial_id):
        reading = ClockReading.objects.create(
            site=site,
            instrument=instrument,
            scanner=scanner,
            ahead_s=ahead_s,
            read_at=read_at,
            recorded_by=by,
        )
        injections.follow_clock(reading)
    return reading
