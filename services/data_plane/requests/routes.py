"""From the raw path to the route of one catalog, and whether the method is allowed there."""

from data_plane.catalogs.catalog import Catalog
from data_plane.catalogs.route import Route
from qg_core.errors import EndpointNotFound, MethodNotAllowed

METHODS = ("GET", "HEAD")
PATH_SHOWN_MAX = 512
"""How many characters of a path that nobody registered are repeated."""


def match(catalog: Catalog, raw_path: bytes, method: str, *, cors: bool) -> Route:
    """The route of exactly these bytes: no percent-decoding, no case folding, no trailing slash.

    Raises `EndpointNotFound`, whatever the method: unknown, inactive and never registered look the same. Raises
    `MethodNotAllowed` on an existing endpoint.
    """
    route = catalog.routes.get(raw_path)
    if route is None:
        shown = raw_path[:PATH_SHOWN_MAX].decode("latin-1")
        raise EndpointNotFound(f"No endpoint registered at {shown}.")
    if method not in METHODS:
        raise MethodNotAllowed((*METHODS, "OPTIONS") if cors else METHODS)
    return route
