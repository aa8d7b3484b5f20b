"""Which service does which export job."""

from __future__ import annotations

from trials.services.jobs import handled_by

handled_by("reporting.freeze", "reporting.services.exports.freeze")
handled_by("reporting.rebuild", "reporting.services.rebuilds.rebuild")
