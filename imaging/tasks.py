"""Handlers of imaging jobs."""
