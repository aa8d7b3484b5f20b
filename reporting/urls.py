"""Addresses of the reporting pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
