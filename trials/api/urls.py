"""Addresses of the trials part of the API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
