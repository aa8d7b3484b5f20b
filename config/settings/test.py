"""Tests: as in development, with a cheap password hasher."""

from pathlib import Path

from config import env
from config.settings.dev import *

ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
# Argon2 is meant to be slow; the accounts test puts it back.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# See trials/services/fault_points.py: no other settings ask for it.
if folder := env.text("TRIALTRACE_FAULT_POINTS", default=""):
    FAULT_POINTS = Path(folder)
