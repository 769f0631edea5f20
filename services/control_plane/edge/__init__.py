"""What every request passes before a route sees it, in plain ASGI: nothing behind it can forget one of these."""
