"""Handlers of export jobs."""
