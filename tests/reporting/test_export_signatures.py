"""Detached signatures of exports, as openssl makes the key and verifies the signature."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import IntegrityError, transaction

from reporting import signing, storage
from reporting.management.commands.export import Command
from reporting.models import Export, ExportDownload
from reporting.services import exports, rebuilds
from tests import factories
from tests.reporting.freezing import held, unordered
from trials.models import AuditEvent
from trials.roles import Role
from trials.services import accounts

# Signs what RFC 8032, 7.1, test 1 says, with the key of it in the wrapping of RFC 8410.
RFC_8032_KEY = bytes.fromhex(
    "302e020100300506032b657004220420"
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
)
RFC_8032_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)
OPENSSL = shutil.which("openssl") or "openssl"


def openssl(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([OPENSSL, *map(str, words)], input=given, capture_output=True)


def made_key(path: Path, *words: str) -> Path:
    """A private key in a file that is its owner's alone."""
    openssl("genpkey", *words, "-out", path).check_returncode()
    path.chmod(0o600)
    return path


def said_of(path: Path) -> str:
    with pytest.raises(signing.SigningKeyError) as caught:
        signing.key(path)
    return str(caught.value)


@pytest.fixture
def key(tmp_path, settings) -> Path:
    """The key of the site."""
    settings.EXPORT_SIGNING_KEY = made_key(tmp_path / "key.pem", "-algorithm", "ed25519")
    return settings.EXPORT_SIGNING_KEY


def fingerprint(key: Path) -> str:
    der = openssl("pkey", "-in", key, "-pubout", "-outform", "DER").stdout
    return openssl("dgst", "-sha256", "-r", given=der).stdout.split()[0].decode()


def verified(folder: Path, key: Path, sums: bytes, signature: bytes) -> int:
    """How openssl ends that verifies a signature."""
    openssl("pkey", "-in", key, "-pubout", "-out", folder / "pub.pem").check_returncode()
    (folder / "SHA256SUMS").write_bytes(sums)
    (folder / "SHA256SUMS.sig").write_bytes(signature)
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", folder / "pub.pem", "-rawin"]
    words += ["-in", folder / "SHA256SUMS", "-sigfile", folder / "SHA256SUMS.sig"]
    return openssl(*words).returncode


def frozen(made) -> Export:
    """An export that this process freezes, by its settings."""
    export = unordered(made)
    exports.freeze(held(export))
    export.refresh_from_db()
    return export


def sums_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".sig")]
        return archive.read("SHA256SUMS")


# Keys


def test_a_key_signs_as_the_standard_says(tmp_path):
    path = tmp_path / "key.pem"
    pem = openssl("pkey", "-inform", "DER", given=RFC_8032_KEY).stdout
    path.write_bytes(pem)
    path.chmod(0o600)
    assert signing.key(path).sign(b"").hex() == RFC_8032_SIGNATURE
    assert signing.fingerprint(signing.key(path)) == fingerprint(path)


def test_a_file_that_can_not_sign_is_refused_by_what_is_wrong(tmp_path):
    assert "can't be read: No such file" in said_of(tmp_path / "none.pem")
    assert "is no file" in said_of(tmp_path)
    good = made_key(tmp_path / "good.pem", "-algorithm", "ed25519")
    for mode in (0o604, 0o602, 0o666):
        good.chmod(mode)
        assert "open to every user" in said_of(good)
    good.chmod(0o640)
    assert signing.key(good)
    rsa = made_key(tmp_path / "rsa.pem", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")
    assert "of another type than Ed25519" in said_of(rsa)
    ed448 = made_key(tmp_path / "ed448.pem", "-algorithm", "ed448")
    assert "of another type than Ed25519" in said_of(ed448)
    locked = made_key(
        tmp_path / "locked.pem", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"
    )
    assert "has a passphrase" in said_of(locked)
    public = tmp_path / "pub.pem"
    openssl("pkey", "-in", good, "-pubout", "-out", public).check_returncode()
    public.chmod(0o600)
    assert "no private key in PEM" in said_of(public)


def test_the_check_of_the_configuration_names_a_key_that_can_not_sign(key, settings):
    call_command("check")
    key.chmod(0o644)
    with pytest.raises(SystemCheckError, match=r"reporting\.E001.*open to every user"):
        call_command("check")
    settings.EXPORT_SIGNING_KEY = None
    call_command("check")


# Exports


@pytest.mark.usefixtures("committed_db")
def test_openssl_verifies_what_the_worker_signed_and_nothing_else(made, key, tmp_path, client):
    export = frozen(made)
    assert (export.state, export.signing_key_sha256) == ("frozen", fingerprint(key))
    sums = sums_of(storage.exports.read(export.sha256))
    client.force_login(made.statistician)
    answer = client.get(f"/exports/{export.pk}/SHA256SUMS.sig")
    signature = b"".join(answer.streaming_content)
    assert (answer.status_code, len(signature)) == (200, 64)
    assert verified(tmp_path, key, sums, signature) == 0
    assert verified(tmp_path, key, sums[:-2] + b"x\n", signature) != 0
    assert verified(tmp_path, key, sums, signature[:-1] + bytes([signature[-1] ^ 1])) != 0
    other = made_key(tmp_path / "other.pem", "-algorithm", "ed25519")
    assert verified(tmp_path, other, sums, signature) != 0

    page = client.get(f"/exports/{export.pk}/").content.decode()
    name = f"{made.trial.identifier}-export-{export.pk}-SHA256SUMS.sig"
    assert export.signing_key_sha256 in page
    assert f"-rawin -in SHA256SUMS -sigfile {name}" in page
    assert name in answer.headers["Content-Disposition"]

    kept = AuditEvent.objects.filter(action="export.frozen", row=str(export.pk)).last()
    after = json.loads(kept.after) if isinstance(kept.after, str) else kept.after
    assert after["signing_key_sha256"] == export.signing_key_sha256
    taken = AuditEvent.objects.filter(action="export.downloaded", trial=made.trial.pk).last()
    assert taken.reason == "SHA256SUMS.sig: a test"
    with factories.framed(), pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=export.pk).update(signing_key_sha256="")
    # The signature is no part of what is made once more.
    files = rebuilds.at_once(export, by=made.statistician).files
    assert not [one["path"] for one in files if one["was"] != one["made"]]


@pytest.mark.usefixtures("committed_db")
def test_who_may_not_have_the_files_has_no_signature_either(made, key, client):
    export = frozen(made)
    address = f"/api/v1/exports/{export.pk}/SHA256SUMS.sig"
    page = f"/exports/{export.pk}/SHA256SUMS.sig"
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    assert client.get(page).status_code == 403
    raw = accounts.issue_token(made.statistician, label="R", scope="export:blinded", days=30)[0]
    token = {"Authorization": f"Bearer {raw}"}
    client.logout()
    shown = client.get(f"/api/v1/exports/{export.pk}/", headers=token).json()
    assert shown["signing_key_sha256"] == fingerprint(key)
    assert client.get(address, headers=token).status_code == 200
    with factories.framed():
        Export.objects.filter(pk=export.pk).update(
            manifest=export.manifest | {"is_unblinded": True}
        )
    answer = client.get(address, headers=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-scope")


@pytest.mark.usefixtures("committed_db")
def test_without_a_key_there_is_no_signature_and_it_says_so(made, settings, client):
    settings.EXPORT_SIGNING_KEY = None
    export = frozen(made)
    assert (export.state, export.signature, export.signing_key_sha256) == ("frozen", "", "")
    client.force_login(made.statistician)
    answer = client.get(f"/api/v1/exports/{export.pk}/SHA256SUMS.sig")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-signed")
    assert "SHA256SUMS.sig" not in client.get(f"/exports/{export.pk}/").content.decode()
    assert not ExportDownload.objects.filter(export=export).exists()


@pytest.mark.usefixtures("committed_db")
def test_nothing_is_frozen_unsigned_where_the_key_can_not_sign(made, key):
    key.unlink()
    export = frozen(made)
    assert (export.state, export.sha256, export.signature) == ("failed", "", "")
    assert export.message.startswith("It can't be signed: the key can't be read: No such file")
    assert str(key.parent) not in export.message


@pytest.mark.usefixtures("committed_db")
def test_the_command_writes_the_signature_beside_the_zip(made, key, tmp_path):
    export, path = frozen(made), tmp_path / "a.zip"
    out = io.StringIO()
    Command(stdout=out).take(export, path, made.statistician)
    beside = tmp_path / "a.zip.sha256sums.sig"
    assert verified(tmp_path, key, sums_of(path.read_bytes()), beside.read_bytes()) == 0
    assert f"signed with the key of SHA-256 {fingerprint(key)}." in out.getvalue()
    path.unlink()
    known = {"username": made.statistician.username, "reason": "interim analysis"}
    with pytest.raises(CommandError, match=r"a\.zip\.sha256sums\.sig is there already"):
        call_command("export", made.trial.identifier, **known, to=path)
    assert Export.objects.filter(trial=made.trial).count() == 1
