"""Which service does which imaging job."""

from __future__ import annotations

from trials.services.jobs import handled_by

handled_by("imaging.inspect", "imaging.services.intake.inspect")
handled_by("imaging.release", "imaging.services.release.release")
handled_by("imaging.clear", "imaging.services.clearing.clear")
handled_by("imaging.assemble", "imaging.services.assembly.build")
handled_by("imaging.quantify", "imaging.services.quantification.run")
