"""The values of one request's parameters."""

from data_plane.catalogs.route import Route
from qg_core.binding import BindValue
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.query_text import SEGMENTS_MAX, name_shown, split_segments


def bind(route: Route, query_string: bytes) -> dict[str, BindValue]:
    """One value per declared parameter. Raises `InvalidInput` with every problem.

    A snapshot was made with the defaults: sending any parameter is a problem.
    """
    if route.stored:
        if query_string:
            _refuse_any(query_string)
        return {}
    return route.binder.bind(query_string)


def _refuse_any(query_string: bytes) -> None:
    names = [name for name, _ in split_segments(query_string.decode("latin-1"))][:SEGMENTS_MAX]
    if names:
        raise InvalidInput(
            [FieldProblem(name_shown(name), "a snapshot endpoint takes no parameters") for name in names]
        )
