"""Run by `helm test`: every service is ready, and a data plane answers. Arguments: a data URL, then ready URLs."""

import json
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 10


def status_and_body(url: str) -> tuple[int, bytes]:
    """What a URL answers; 0 when nobody does. No proxy: what is asked lies inside the cluster."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()


def main(data_url: str, ready_urls: list[str]) -> int:
    """0 when all is as it should be."""
    failed = 0
    for url in ready_urls:
        status, body = status_and_body(url)
        failed += status != 200
        sys.stdout.write(f"{'ok ' if status == 200 else 'FAILED'} {url}: {status} {body[:500]!r}\n")
    # Nothing is published at the empty path: a data plane says so in a problem document of its own.
    status, body = status_and_body(data_url)
    try:
        answered = status == 404 and json.loads(body)["code"] == "endpoint_not_found"
    except (ValueError, LookupError, TypeError):
        answered = False
    sys.stdout.write(f"{'ok ' if answered else 'FAILED'} {data_url}: {status} {body[:500]!r}\n")
    return 1 if failed or not answered else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
