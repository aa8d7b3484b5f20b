"""Settings of commands that need no database: the apps alone, and a database there is none of."""

import os

os.environ["DATABASE_URL"] = "postgresql://nobody@localhost/none"
os.environ.pop("OWNER_DATABASE_URL", None)

from config.settings.dev import *
