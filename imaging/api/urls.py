"""Addresses of the imaging part of the API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
