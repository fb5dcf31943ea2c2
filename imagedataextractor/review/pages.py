"""The pages that correct: a queue of panels, and a panel with its particles.

Everything is written through the store, as `ide correct` does it. The pages load nothing from elsewhere and run no
script but their own; a request that would change something must carry the token of a page that was asked for.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from datasette.utils.asgi import Forbidden, Response

from imagedataextractor.corrections import Said, correct_panel, stated_scale, undo
from imagedataextractor.errors import IdeError, InputError, UsageError
from imagedataextractor.records import Particle, Reason
from imagedataextractor.report.pictures import state_of
from imagedataextractor.report.rows import read_panel
from imagedataextractor.review import pictures
from imagedataextractor.review.queue import QueuedPanel, read_queue
from imagedataextractor.review.serving import PLUGIN
from imagedataextractor.store import Correction, CorrectionKind, Store
from imagedataextractor.store.corrections import user_name

if TYPE_CHECKING:
    from datasette.app import Datasette

__all__ = ["correct_page", "panel_image", "panel_page", "queue_page"]

T = TypeVar("T")

#: Names under which this machine calls itself: any other is a foreign page that was led here by its own name server.
_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


async def queue_page(request: Any, datasette: Datasette) -> Response:
    """The panels, those that need a look first."""
    await _allow(request, datasette)
    panels = await _with_store(datasette, read_queue)
    context = {"panels": panels, "reviewed": sum(panel.reviewed for panel in panels)}
    return await _page(datasette, request, "ide_review_queue.html", context)


async def panel_page(request: Any, datasette: Datasette) -> Response:
    """One panel with all its particles."""
    await _allow(request, datasette)
    panel_id = int(request.url_vars["id"])
    context = await _with_store(datasette, lambda store: _panel_context(store, panel_id))
    if context is None:
        return Response.text(f"there is no segmented panel {panel_id}", status=404)
    context["at"] = request.args.get("at") or ""
    context["message"] = request.args.get("message") or ""
    return await _page(datasette, request, "ide_review_panel.html", context)


async def panel_image(request: Any, datasette: Datasette) -> Response:
    """The micrograph without any drawing."""
    await _allow(request, datasette)
    panel_id = int(request.url_vars["id"])
    try:
        drawn = await _with_store(datasette, lambda store: pictures.panel_png(store, panel_id, plain=True))
    except IdeError as error:
        return Response.text(str(error), status=404)
    return Response(drawn, content_type="image/png", headers={"Cache-Control": "private, max-age=600"})


async def correct_page(request: Any, datasette: Datasette) -> Response:
    """Take one correction, and show the panel again."""
    await _allow(request, datasette)
    if request.method != "POST":
        return Response.text("corrections are posted", status=405)
    given = await request.post_vars()
    _check_token(request, given)
    panel_id = int(request.url_vars["id"])
    try:
        said = await _with_store(datasette, lambda store: _correct(store, panel_id, given), write=True)
    except IdeError as error:
        said = str(error).removeprefix("correct: ")
    shown = {"at": given.get("at", ""), "message": said}
    return Response.redirect(datasette.urls.path(f"/-/review/panel/{panel_id}?{urlencode(shown)}"), status=303)


# ---------------------------------------------------------------- who may


async def _allow(request: Any, datasette: Datasette) -> None:
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    if name not in _OWN_NAMES:
        raise Forbidden("these pages are for this machine alone")
    if not await datasette.permission_allowed(request.actor, "ide-review", default=True):
        raise Forbidden("permission ide-review is needed")


def _check_token(request: Any, given: Mapping[str, str]) -> None:
    # Datasette lets requests without a cookie through: where nobody signs in, those need the token as well.
    token = request.cookies.get("ds_csrftoken", "")
    if not token or not secrets.compare_digest(token.encode(), given.get("csrftoken", "").encode()):
        raise Forbidden("the page is too old; load it again")


# ---------------------------------------------------------------- the database


async def _with_store(datasette: Datasette, ask: Callable[[Store], T], *, write: bool = False) -> T:
    file = datasette.plugin_config(PLUGIN)["file"]

    def asked() -> T:
        with Store.open(file, create=False, read_only=not write) as store:
            return ask(store)

    return await asyncio.to_thread(asked)


def _panel_context(store: Store, panel_id: int) -> dict[str, Any] | None:
    queue = read_queue(store)
    place = next((place for place, panel in enumerate(queue) if panel.id == panel_id), None)
    panel = read_panel(store, panel_id)
    if place is None or panel is None:
        return None
    return {
        "panel": panel,
        "queued": queue[place],
        "place": place + 1,
        "count": len(queue),
        "before": queue[place - 1].id,
        "after": queue[(place + 1) % len(queue)].id,
        "particles": [_drawn(p) for p in panel.particles if p.reason != Reason.REPLACED and p.contour],
        "last": queue[place].corrections[-1] if queue[place].corrections else None,
    }


def _drawn(particle: Particle) -> dict[str, Any]:
    size = f"{particle.ecd_px:.4g} px" if particle.ecd_nm is None else f"{particle.ecd_nm:.4g} nm"
    return {
        "label": particle.label,
        "points": " ".join(f"{x:g},{y:g}" for x, y in particle.contour),
        "x": round(particle.x_px, 1),
        "y": round(particle.y_px, 1),
        "font": max(5.0, min(16.0, 0.5 * particle.feret_min_px)),
        "state": "corrected" if particle.reason == Reason.CORRECTED else state_of(particle),
        "words": f"{particle.label}: ECD {size}, aspect ratio {particle.aspect_ratio:.2f}"
        + (f", rejected ({particle.reason})" if particle.reason else ""),
    }


def _correct(store: Store, panel_id: int, given: Mapping[str, str]) -> str:
    """Keep one correction; what was done, in words."""
    action, why = given.get("action", ""), given.get("why", "")
    if action == "undo":
        taken = undo(store, _whole(given.get("correction", "")))
        return f"taken back: {taken.kind}"
    if action == "looked":
        panel = _queued(store, panel_id)
        # A restore of nothing: a person looked at the panel and found it right.
        store.correct(
            Correction(
                CorrectionKind.RESTORE, panel.image_sha256, panel.box, why=why or "looked at", made_by=user_name()
            )
        )
        return "noted as looked at"
    made = correct_panel(store, panel_id, _said(action, given), why=why)
    return ", ".join(str(correction.kind) for correction in made)


def _queued(store: Store, panel_id: int) -> QueuedPanel:
    found = next((panel for panel in read_queue(store) if panel.id == panel_id), None)
    if found is None:
        raise InputError(f"there is no segmented panel {panel_id}")
    return found


def _said(action: str, given: Mapping[str, str]) -> Said:
    numbers = [_whole(number) for number in given.get("numbers", "").replace(",", " ").split()]
    points = _points(given.get("points", ""))
    match action:
        case "reject":
            return Said(reject=numbers)
        case "restore":
            return Said(restore=numbers)
        case "merge":
            return Said(merge=numbers)
        case "split":
            if len(numbers) != 1:
                raise UsageError("choose the particle to split")
            return Said(split=numbers[0], along=points)
        case "draw":
            return Said(draw=[points])
        case "scale":
            return Said(scale=_scale(given))
        case "not-em" | "em":
            return Said(is_em=action == "em")
    raise UsageError(f"no correction is called {action!r}")


def _scale(given: Mapping[str, str]) -> Any:
    value, bar_px = given.get("value", "").strip(), given.get("bar_px", "").strip()
    match given.get("as"):
        case "nm_per_px":
            return stated_scale(_number(value), None, None, None)
        case "bar":
            return stated_scale(None, value, _number(bar_px) if bar_px else None, None)
        case "field":
            return stated_scale(None, None, None, value)
    raise UsageError("a scale is given in nm per pixel, as the bar's length, or as the width of the panel")


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{text!r} is no number")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is no number") from None


def _points(text: str) -> list[tuple[float, float]]:
    found = []
    for pair in text.split():
        x, comma, y = pair.partition(",")
        if not comma:
            raise UsageError(f"{pair!r} is no point")
        found.append((_number(x), _number(y)))
    return found


async def _page(datasette: Datasette, request: Any, template: str, context: dict[str, Any]) -> Response:
    return Response.html(await datasette.render_template(template, context, request=request), headers=_HEADERS)
