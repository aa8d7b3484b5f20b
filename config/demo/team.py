"""The people of the demo, logged in over HTTP."""

from __future__ import annotations

from config.demo.accounts import DEMO_TRIAL, PASSWORD
from config.demo.client import Client, DemoFailed
from trials.roles import Role


class Team:
    """Each member logs in when first needed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._members: dict[Role, Client] = {}

    def __getitem__(self, role: Role) -> Client:
        if role not in self._members:
            self._members[role] = Client(self.address, username=role.value, password=PASSWORD)
        return self._members[role]

    def trial(self) -> dict:
        """The demo trial as the coordinator sees it."""
        return self[Role.COORDINATOR].get(f"/trials/{DEMO_TRIAL}/")

    def site(self) -> dict:
        """The coordinator's site, with what the protocol version in force there plans."""
        first = self.trial()["sites"][0]
        return self[Role.COORDINATOR].get(f"/sites/{first['id']}/")

    def found_wanting(self, patient: int) -> list[str]:
        """Deviations and queries of a patient, as the monitor sees them."""
        return [
            f"{kind:9}  {row['rule'] or 'by hand'}: {row['text']}"
            for kind, path in (("deviation", "/deviations/"), ("query", "/queries/"))
            for row in self[Role.MONITOR].every(path, patient=patient)
        ]


def planned(site: dict, *, identifier: str = "", radionuclide: str = "") -> dict:
    """The planned scan with this identifier, or the one with this radionuclide."""
    for scan in site["planned_scans"]:
        if identifier == scan["identifier"] or radionuclide == scan["tracer"]["radionuclide"]:
            return scan
    known = ", ".join(scan["tracer"]["radionuclide"] for scan in site["planned_scans"])
    wanted = identifier or radionuclide or "without a radionuclide"
    raise DemoFailed(f"The demo trial plans no scan {wanted}, only with {known}.")
