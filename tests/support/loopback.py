"""Requests to services on this machine: over plain HTTP, whatever proxy the environment names."""

import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

# Trusts nobody and is never asked: without it, every client that is made loads the system's certificates, 50 ms of CPU.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def get(url: str, headers: Mapping[str, str] | None = None, timeout_s: float = 15.0) -> httpx.Response:
    """One request on a connection of its own. Raises `httpx.HTTPError`."""
    return httpx.get(url, headers=headers, timeout=timeout_s, trust_env=False, verify=NO_TLS)


def client(base_url: str, timeout_s: float = 20.0) -> httpx.Client:
    """A client that keeps its connections; close it."""
    return httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False, verify=NO_TLS)


def status_of(url: str, timeout_s: float = 2.0) -> int | None:
    """The status of a GET, null when nobody answers; cheap enough to ask a hundred times a second."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
