"""Names of the rules that raise queries and draft deviations, where more than one module asks."""

from __future__ import annotations

# A value no living person has; while the query is open, nothing is concluded from it.
IMPLAUSIBLE = "implausible-value"
