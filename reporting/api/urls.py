"""Addresses of the reporting part of the API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
