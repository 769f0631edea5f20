"""`make test-images`: the images and the compose stack themselves. Needs Docker, and says loudly when there is none.

Not part of `make test`: every file here is marked `long`. TEST_IMAGES_REQUIRED=1 (hosted CI) makes a failure of what is
a skip elsewhere.
"""

import os
from collections.abc import Iterator

import pytest

from tests.images import docker
from tests.images.stack import Stack

TAG = "querygateway:test-images"
STANDIN_TAG = "querygateway-standin:test-images"


@pytest.fixture(scope="session")
def docker_here() -> None:
    if reason := docker.missing():
        said = f"NOTHING WAS TESTED: the images need Docker, and {reason}"
        if os.environ.get("TEST_IMAGES_REQUIRED"):
            pytest.fail(said)
        pytest.skip(said)


@pytest.fixture(scope="session")
def image(docker_here: None) -> str:
    """The production image, built for this run."""
    base = docker.base_image()
    docker.make("image", TAG=TAG, **({"BASE_IMAGE": base} if base else {}))
    return TAG


@pytest.fixture(scope="session")
def standin_image(image: str) -> str:
    """The development image, built for this run."""
    base = docker.base_image()
    docker.make("image-standin", STANDIN_TAG=STANDIN_TAG, **({"BASE_IMAGE": base} if base else {}))
    return STANDIN_TAG


@pytest.fixture(scope="session")
def server_images(docker_here: None) -> dict[str, str]:
    """Postgres, Redis and nginx: those of compose.yaml, or local ones where everything is built on the local base."""
    if docker.base_image() != docker.LOCAL_BASE:
        return {}
    docker.make("image-servers")
    return {f"{name.upper()}_IMAGE": f"querygateway-local-{name}" for name in ("postgres", "redis", "nginx")}


@pytest.fixture(scope="session")
def stack(
    image: str, standin_image: str, server_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The compose stack with the stand-in and the demo."""
    running = Stack(tmp_path_factory.mktemp("stack"), image, standin_image, server_images)
    try:
        running.up()
        yield running
    finally:
        running.down()
