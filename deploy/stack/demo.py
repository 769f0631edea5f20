"""Publish the demo on a compose stack and print `curl` lines; deploy/demo runs it inside the development image.

Settings: CONTROL_PLANE_URL (inside the stack's network), DATA_URL (as callers see it, through nginx), ADMIN_USERNAME,
CA_FILE (the authority of nginx's certificate, as the caller's curl finds it).
"""

import os
import shlex
import sys
from pathlib import Path

from qg_devstack import demo
from qg_devstack.admin import Admin
from qg_devstack.record import OracleAccess
from qg_devstack.servers.errors import ServerFailed

_SECRETS = Path("/run/secrets")


def main() -> int:
    """Status 0 when everything was made, else 1 and the API's own words."""
    oracle = OracleAccess(
        host="standin",
        port=1521,
        service_name="FREEPDB1",
        user="QG_DEMO",
        password=(_SECRETS / "demo_oracle_reader").read_text().strip(),
    )
    admin_password = (_SECRETS / "demo_admin_password").read_text().strip()
    try:
        with Admin(os.environ["CONTROL_PLANE_URL"], os.environ["ADMIN_USERNAME"], admin_password) as admin:
            made = demo.create(admin, oracle)
    except ServerFailed as error:
        sys.stderr.write(f"The demo was not made (is it there already? is the profile standin up?): {error}\n")
        return 1
    authority = shlex.quote(os.environ["CA_FILE"])
    for endpoint, line in demo.curl_lines(made, [os.environ["DATA_URL"]]):
        sys.stdout.write(f"# {endpoint.name}: {endpoint.description}\n")
        sys.stdout.write(f"curl --cacert {authority} {line.removeprefix('curl ')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
