"""Production: everything that differs, and no default for what must be chosen."""

from config import env
from config.settings.base import *

DEBUG = False
DEMO = False
SECRET_KEY = env.secret("TRIALTRACE_SECRET_KEY")
ALLOWED_HOSTS = env.words("TRIALTRACE_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

SECURE_SSL_REDIRECT = env.flag("TRIALTRACE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Several web processes share counts of failed log-ins through the database, not memory.
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
