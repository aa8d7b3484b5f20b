"""Addresses of the trials pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
