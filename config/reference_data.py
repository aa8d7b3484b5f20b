"""Real PET headers of three vendors from the package index, for whoever has no other.

The source distribution of pysuv 0.1.0 ships them (NCI Imaging Data Commons, CC BY 3.0 and
4.0). `python -m config.reference_data FOLDER` puts them under FOLDER/pet_headers; tests that
need more of the reference data skip and say so.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = (
    "pysuv==0.1.0 --hash=sha256:b5e396880835e939cf19561825f0bc4e9a2f205820b94daedc2b95881b77f055\n"
)
SAMPLES = "tests/data/idc_vendor_samples/"


def main(folder: Path) -> int:
    target = folder / "pet_headers"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tt-reference-") as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(PACKAGE)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", ":all:", "--require-hashes"]
        arguments = [*command, "-r", str(wanted), "-d", scratch]
        subprocess.run(arguments, check=True)  # noqa: S603  our own words
        (archive,) = Path(scratch).glob("pysuv-*.tar.gz")
        count = extract(archive, target)
    print(f"{count} headers of PET images in {target}")
    print(f"Now: TRIALTRACE_REFERENCE_DATA={folder} make test")
    return 0


def extract(archive: Path, target: Path) -> int:
    """The samples of an archive by their names alone; nothing lands anywhere else."""
    count = 0
    with tarfile.open(archive) as files:
        for member in files:
            if member.isfile() and SAMPLES in member.name and member.name.endswith(".dcm"):
                content = files.extractfile(member)
                if content:
                    (target / Path(member.name).name).write_bytes(content.read())
                    count += 1
    return count


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
