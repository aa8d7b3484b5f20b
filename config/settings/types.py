"""Settings for the type checker, which needs the apps and no database."""

from config.settings.alone import *
