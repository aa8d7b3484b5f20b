"""Imaging pages, one module by subject."""
