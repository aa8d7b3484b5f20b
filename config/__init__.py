"""Composition: settings, addresses, the shell of the pages, the commands that start it all."""
