"""What the plugin's addresses answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Response

from imagedataextractor.errors import IdeError
from imagedataextractor.review import pages, pictures
from imagedataextractor.review.serving import PLUGIN
from imagedataextractor.store import Store

if TYPE_CHECKING:
    from datasette.app import Datasette

__all__ = ["routes"]


def routes(*, review: bool) -> list[tuple[str, Callable[..., Any]]]:
    """Patterns of addresses and what answers them."""
    found: list[tuple[str, Callable[..., Any]]] = [
        (r"^/-/picture/figure/(?P<id>\d+)\.png$", figure_picture),
        (r"^/-/picture/panel/(?P<id>\d+)\.png$", panel_picture),
        (r"^/-/picture/segmentation/(?P<id>\d+)\.png$", segmentation_picture),
        (r"^/-/picture/particle/(?P<id>\d+)/(?P<label>\d+)\.png$", particle_picture),
    ]
    if review:
        found += [
            (r"^/-/review$", pages.queue_page),
            (r"^/-/review/panel/(?P<id>\d+)$", pages.panel_page),
            (r"^/-/review/panel/(?P<id>\d+)/image\.png$", pages.panel_image),
            (r"^/-/review/panel/(?P<id>\d+)/correct$", pages.correct_page),
        ]
    return found


async def figure_picture(request: Any, datasette: Datasette) -> Response:
    return await _picture(request, datasette, pictures.figure_png, int(request.url_vars["id"]))


async def panel_picture(request: Any, datasette: Datasette) -> Response:
    return await _picture(request, datasette, pictures.panel_png, int(request.url_vars["id"]))


async def segmentation_picture(request: Any, datasette: Datasette) -> Response:
    return await _picture(request, datasette, pictures.segmentation_png, int(request.url_vars["id"]))


async def particle_picture(request: Any, datasette: Datasette) -> Response:
    number, label = int(request.url_vars["id"]), int(request.url_vars["label"])
    return await _picture(request, datasette, pictures.particle_png, number, label)


async def _picture(request: Any, datasette: Datasette, draw: Callable[..., bytes], *arguments: int) -> Response:
    """A picture, for whoever may see the database."""
    config = datasette.plugin_config(PLUGIN)
    await datasette.ensure_permissions(request.actor, [("view-database", config["database"]), "view-instance"])

    def drawn() -> bytes:
        with Store.open(config["file"], read_only=True) as store:
            return draw(store, *arguments)

    try:
        return Response(await asyncio.to_thread(drawn), content_type="image/png")
    except IdeError as error:
        return Response.text(str(error), status=404)
