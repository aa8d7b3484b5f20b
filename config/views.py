"""The shell's own pages: home and log-in."""

from __future__ import annotations

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    """Where a user begins."""
    return render(request, "config/home.html")


class LoginPage(LoginView):
    template_name = "config/login.html"
    redirect_authenticated_user = True
