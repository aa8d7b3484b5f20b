"""Settings for the type checker, which needs the apps and no database."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")

from config.settings.dev import *
