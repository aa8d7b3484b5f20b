"""The shell's own pages: home, log-in, password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from config import dashboard
from config.demo import accounts as demo
from trials.services import accounts


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Where a user begins: what waits for each of their roles."""
    user = request.user
    context = {
        "cards": dashboard.cards_for(user),
        "may_inject": user.may("injection.record"),
        "ahead": dashboard.scans_ahead(user),
        "may_upload": user.may("images.upload"),
        "waiting": dashboard.scans_without_images(user),
        "may_screen": user.may("patient.screen"),
        "may_export": user.may("export.create"),
        "may_audit": user.may("audit.view"),
        "may_see_eligibility": user.may("eligibility.view"),
    }
    return render(request, "config/home.html", context)


@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
class LoginPage(LoginView):
    """Log-in; in the demonstration, with its accounts at hand."""

    template_name = "config/login.html"
    redirect_authenticated_user = True

    def get_initial(self) -> dict:
        return super().get_initial() | {"username": self._filled()}

    def get_context_data(self, **more) -> dict:
        context = super().get_context_data(**more)
        if not settings.DEMO:
            return context
        return context | {
            "demo_people": demo.labels().items(),
            "demo_password": demo.PASSWORD,
            "filled_name": self._filled(),
            "filled_password": demo.PASSWORD if self._filled() else "",
        }

    def _filled(self) -> str:
        """The account of the demonstration that a link on the page chose."""
        chosen = self.request.GET.get("as", "") if settings.DEMO else ""
        return chosen if chosen in demo.labels() else ""


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
def password_change(request: HttpRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST or None)
    if form.is_valid():
        accounts.change_password(request.user, form.cleaned_data["new_password1"])
        # The other sessions of this account end; this one stays.
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is changed. Other sessions have ended.")
        return redirect("home")
    status = 422 if form.errors else 200
    return render(request, "config/password_change.html", {"form": form}, status=status)


def csrf_failure(request: HttpRequest, **_: str) -> HttpResponse:
    """A form from a session that has ended, or from somewhere else."""
    return render(request, "config/csrf_failure.html", status=403)
