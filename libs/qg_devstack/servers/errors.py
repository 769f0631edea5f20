"""What can go wrong when a server is started."""


class ServerFailed(Exception):
    """A server did not start, or not in time; the text ends with the last lines of its log."""


class UnsafePlace(Exception):
    """A directory that another local user could change: nothing is run from it."""
