"""How pages are made: one frame around all, parts that refresh by themselves, errors in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from api.errors import ProblemError
from api.panel import words
from models.database import DatabaseUnavailable, row
from workers.errors import Conflict, InvalidFields

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # the check of forms looks at it
    "Vary": "HX-Request, HX-Target, Cookie",
}
NAVIGATION: tuple[tuple[str, str, str | tuple[str, ...]], ...] = (
    ("Sites", "panel.sites.show_all", ("/sites", "/companies", "/runs")),
    ("Items", "panel.items.show_all", "/items"),
    ("Queues", "panel.queues.show", "/queues"),
    ("Webhook log", "panel.webhook_log.show_all", "/webhook-log"),
    ("Settings", "panel.settings.show", "/settings"),
    ("Access", "panel.users.show_all", "/access"),
    ("API docs", "panel.api_docs.show", "/api-docs"),
)
THEMES = ("light", "dark")
PROGRAMS = ("/api/", "/wp-json/", "/webhooks/", "/metrics", "/healthz", "/readyz")


def init_app(app: Flask) -> None:
    """Tell templates what all of them need."""
    app.extensions["problem_page"] = problem_page
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.globals.update(keep=keep, may=may, navigation=navigation)
    app.context_processor(_common)
    app.jinja_env.globals["ui"] = app.jinja_env.get_template("parts.html").module


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page as an answer. Asked by a script for one part (HX-Target names a block), it is that block alone."""
    found = current_app.jinja_env.get_template(template)
    wanted = request.headers.get("HX-Target", "")
    if wanted in found.blocks:
        current_app.update_template_context(values)
        html = "".join(found.blocks[wanted](found.new_context(values)))
    else:
        html = render_template(template, **values)
    response = make_response(html, status)
    response.headers.extend(HEADERS)
    return response


def go(address: str, message: str | None = None, kind: str = "good") -> BaseResponse:
    """Go on to another page after a change, with a message there. kind: good, warn or bad."""
    if message:
        flash(message, kind)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def may(scope: str) -> bool:
    """Whether the person may do what needs this scope."""
    return "principal" in g and g.principal.may(scope)


def errors_of(error: InvalidFields | Conflict) -> dict[str, str]:
    """What is wrong with a form: a field's name -> its message, the first of each."""
    if isinstance(error, Conflict):
        return {error.field or "": error.message}
    return {entry.field: entry.message for entry in reversed(error.errors)}


def navigation() -> Sequence[tuple[str, str, str | tuple[str, ...]]]:
    """The pages beside the overview, in their order: label, endpoint, the beginnings of its addresses.

    Those that the person may open.
    """
    views = current_app.view_functions
    return [entry for entry in NAVIGATION if entry[1] in views and may(_scope(views[entry[1]]))]


def _scope(view: Any) -> str:
    return str(getattr(view, "needs_scope", "admin"))


def keep(**changes: Any) -> str:
    """This page's address with some of its query changed; None takes a parameter out."""
    query = {**request.args.to_dict(), **changes}
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return url_for(request.endpoint or "", **{**(request.view_args or {}), **kept})


def problem_page(error: ProblemError) -> Response | None:
    """An error as a page, where a person's browser asked; a script gets it as a part to show."""
    if not (request.blueprints and request.blueprints[-1] == "panel"):
        by_person = request.endpoint is None and "text/html" in request.headers.get("Accept", "")
        if not by_person or request.path.startswith(PROGRAMS):
            return None
    response = page("problem.html", error.status, error=error, title="Not possible")
    response.headers.extend(error.headers)
    return response


def _common() -> dict[str, Any]:
    theme = request.cookies.get("theme", "")
    return {
        "person": g.get("principal"),
        "theme": theme if theme in THEMES else "",
        "open_alerts": _open_alerts() if "principal" in g and "HX-Request" not in request.headers else 0,
    }


def _open_alerts() -> int:
    try:
        found = row("SELECT count(*) FROM rm_alerts WHERE state = 'open'")
    except DatabaseUnavailable:
        return 0  # the page of this very error is to be shown
    return found[0] if found else 0
