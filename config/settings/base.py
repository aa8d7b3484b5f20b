"""Settings shared by development, tests and production."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF

from config import env

BASE_DIR = Path(__file__).resolve().parents[2]

VAR = env.path("TRIALTRACE_VAR", default=BASE_DIR / "var")
# Quarantine holds what came in, identified; archive what went through de-identification.
STORAGE = env.path("TRIALTRACE_STORAGE", default=VAR / "storage")
# Where one is named, archive and exports lie in an S3 bucket, and copies for an hour in a folder.
ARCHIVE = env.bucket(
    "TRIALTRACE_ARCHIVE", endpoint="TRIALTRACE_S3_ENDPOINT", region="TRIALTRACE_S3_REGION"
)
CACHE = VAR / "cache"
CACHE_BYTES = env.number("TRIALTRACE_CACHE_MB", default=4096, least=1) * 2**20

# The Ed25519 key that workers sign exports with; none, and no export is signed.
EXPORT_SIGNING_KEY = env.file("TRIALTRACE_EXPORT_SIGNING_KEY")

# What receives C-STORE: `manage.py storescp`, whose options come first.
STORESCP = {
    "HOST": env.text("TRIALTRACE_STORESCP_HOST", default="127.0.0.1"),
    "PORT": env.number("TRIALTRACE_STORESCP_PORT", default=11112),
    "TLS_CERT": env.text("TRIALTRACE_STORESCP_TLS_CERT", default=""),
    "TLS_KEY": env.text("TRIALTRACE_STORESCP_TLS_KEY", default=""),
    "TLS_CA": env.text("TRIALTRACE_STORESCP_TLS_CA", default=""),
    "ASSOCIATIONS": env.number("TRIALTRACE_STORESCP_ASSOCIATIONS", default=8),
    "OBJECTS": env.number("TRIALTRACE_STORESCP_OBJECTS", default=10_000),
    "RESERVE_MIB": env.number("TRIALTRACE_STORESCP_RESERVE_MIB", default=256),
}

INSTALLED_APPS = [
    "config",
    "trials",
    "imaging",
    "reporting",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.middleware.FormTokens",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every page asks who you are unless its view says that it need not.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "trials.middleware.RequestContext",
    "trials.middleware.RefusalPages",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    # Last on the way in, so that its refusal is a page like any other; no body is read before.
    "config.middleware.Bodies",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.navigation.navigation",
            ],
            "builtins": ["config.templatetags.ui"],
        },
    }
]

DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 0, "max_size": 10, "timeout": 20}
if env.text("OWNER_DATABASE_URL", default=""):
    DATABASES["owner"] = env.database("OWNER_DATABASE_URL")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "trials.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
CSRF_FAILURE_VIEW = "config.views.csrf_failure"
# It looks for Django's own class by name; ours is made of it.
SILENCED_SYSTEM_CHECKS = ["security.W003"]

# Five wrong passwords lock the account from that address for a quarter of an hour.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "config/locked_out.html"
AXES_VERBOSE = False

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Alarms by mail; without a server nothing is sent. Not a setting itself: it holds a password.
mail = env.mail("TRIALTRACE_MAIL", sender="TRIALTRACE_MAIL_FROM", address="TRIALTRACE_ADDRESS")
MAIL_FROM, ADDRESS = mail.sender, mail.address
globals().update(mail.settings)

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"

# One file of an upload is read into memory up to this; larger ones go through a temporary file.
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "imaging.storage.spool.SpoolUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
# A batch of a folder upload holds this many files at most.
DATA_UPLOAD_MAX_NUMBER_FILES = 200
# What a request may announce. A store request over DICOMweb is read as it comes, and never
# beyond this either.
PAGE_MAXIMUM_BYTES = 16 * 2**20
API_MAXIMUM_BYTES = 256 * 2**20
STOW_MAXIMUM_BYTES = 4 * 2**30

# One archive that comes in pieces, and what of the disk stays free whatever comes.
LARGEST_UPLOAD_BYTES = env.number("TRIALTRACE_LARGEST_UPLOAD_MIB", default=4096) * 2**20
KEEP_FREE_BYTES = env.number("TRIALTRACE_KEEP_FREE_MIB", default=1024) * 2**20

# Where a process is to kill itself: only the settings of tests ask the environment for it.
FAULT_POINTS: Path | None = None

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default="")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2}
# The database pool belongs to one process; a forked child must not share its connections.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 3600

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "trials.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["trials.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # OPTIONS would describe a view by its class; the schema says more.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "trials.api.pagination.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.answer",
    "DEFAULT_THROTTLE_RATES": {"login": "20/minute"},
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TrialTrace",
    "DESCRIPTION": "PET tracer trials: from eligibility to a number with its derivation.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": None,
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.with_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "PatientState": "trials.models.Patient.State",
        "SiteState": "trials.models.Site.State",
        "ApprovalKind": "trials.models.SiteApproval.Kind",
        "ScanState": "trials.models.ScheduledScan.State",
        "QueryState": "trials.models.Query.State",
        "DeviationState": "trials.models.Deviation.State",
        "FormImportState": "trials.models.FormImport.State",
        "JobState": "trials.models.Job.State",
        "TransmittalState": "imaging.models.Transmittal.State",
        "FileState": "imaging.models.ReceivedFile.State",
        "PartialUploadState": "imaging.models.PartialUpload.State",
        "TracerMovementKind": "trials.models.TracerMovement.Kind",
        "MonitoringVisitKind": "trials.models.MonitoringVisit.Kind",
        "ActionItemState": "trials.models.ActionItem.State",
        "PrintedSheetKind": "reporting.models.PrintedSheet.Kind",
        "OutcomeEnum": "trials.models.CriterionResult.Outcome",
        "PairOutcome": "imaging.models.LesionPair.Outcome",
        "PairStatus": "imaging.models.LesionPair.Status",
        "ComparisonKind": "imaging.models.LesionComparison.Kind",
        "AdjudicationKind": "imaging.models.Adjudication.Kind",
        "AdjudicationState": "imaging.models.Adjudication.State",
        "CountedReadBasis": "trials.models.CountedRead.Basis",
        "ComparisonState": "imaging.models.LesionComparison.State",
        "SeriesState": "imaging.models.Series.State",
        "ProofKind": "imaging.models.DeidentificationProof.Kind",
        "RunStatus": "imaging.models.Quantification.Status",
        "RegionStatus": "imaging.models.ReferenceRegion.Status",
        "RegionKind": "imaging.models.ReferenceRegion.Kind",
        "PictureKind": "imaging.models.Picture.Kind",
        "ExportState": "reporting.models.Export.State",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
