"""SDTM domains from rows: what SDTMIG 3.4 and its terminology of 2025-03-28 ask for."""

from __future__ import annotations

from datetime import UTC, datetime

from reporting import sdtm

NOW = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
# The domains that the issue of these exports asks for, with MI for histology.
EXPECTED = "DM SC DS IE TI TS TA TE TV SV SE EC EX AG PR LB VS CM MH AE DV TU TR RS MI RP CO RELREC"


def test_every_domain_is_named_in_a_fixed_order_though_nothing_was_collected():
    found = sdtm.domains(sdtm.Source("NCT0", NOW, (), {}, {}))
    names = [one.name for one in found]
    assert names[: len(EXPECTED.split())] == EXPECTED.split()
    assert all(name.startswith("SUPP") for name in names[len(EXPECTED.split()) :])
    assert not any(one.rows for one in found if one.name == "DM")
