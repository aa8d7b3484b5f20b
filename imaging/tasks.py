"""Which service does which imaging job."""

from __future__ import annotations

from imaging.services import assembly, intake, quantification, release
from trials.services import jobs

jobs.handles("imaging.inspect")(intake.inspect)
jobs.handles("imaging.release")(release.release)
jobs.handles("imaging.assemble")(assembly.build)
jobs.handles("imaging.quantify")(quantification.run)
