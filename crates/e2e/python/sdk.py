"""Drives the daemon at DOCKER_HOST through the `docker` package, as a program would.

usage: sdk.py IMAGE NAME-PREFIX
"""

import sys
import time

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound


def expect(kind, call, *args, **kwargs):
    """The exception of the kind that the call raises."""
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected of {call}")


def main(image, prefix):
    client = docker.from_env()
    assert client.ping() is True
    assert client.version()["Os"] == "linux"
    assert client.info()["Driver"] == "overlay2"

    # Output, both streams, exit codes.
    assert client.containers.run(image, ["echo", "hi"], remove=True, network_mode="none") == b"hi\n"
    both = client.containers.run(image, "sh -c 'echo out; echo err >&2'", remove=True, stdout=False, stderr=True)
    assert both == b"err\n", both
    failed = expect(ContainerError, client.containers.run, image, "sh -c 'exit 7'", remove=True)
    assert failed.exit_status == 7
    expect(NotFound, client.containers.get, "nosuch")
    expect(ImageNotFound, client.images.get, "nosuch")
    refused = expect(APIError, client.containers.create, image, mem_limit=1000)
    assert "6MB" in refused.explanation

    # A container's life.
    script = "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 1000 & wait; done"
    container = client.containers.run(
        image, ["sh", "-c", script], name=f"{prefix}-life", detach=True, labels={"who": prefix},
        environment={"A": "b"}, hostname="pyhost", mem_limit="64m", user="app", network_mode="none",
    )
    stream = container.logs(stream=True, follow=True)
    assert next(stream) == b"up\n"
    container.reload()
    assert container.status == "running" and container.attrs["HostConfig"]["Memory"] == 64 << 20
    assert [one.id for one in client.containers.list(filters={"label": f"who={prefix}"})] == [container.id]
    container.rename(f"{prefix}-renamed")
    container.stop(timeout=5)
    assert b"".join(stream) == b"bye\n"
    assert container.wait()["StatusCode"] == 4
    assert container.logs(tail=1) == b"bye\n"
    assert container.logs(timestamps=True).count(b"Z ") == 2
    container.start()
    container.restart(timeout=1)
    container.kill()
    assert container.wait()["StatusCode"] == 137
    told = client.events(since=1, until=int(time.time()) + 1, decode=True, filters={"container": container.id})
    assert [event["Action"] for event in told][:2] == ["create", "start"]
    container.remove()
    expect(NotFound, client.containers.get, container.id)

    # Images.
    source = client.images.get(image)
    assert source.tag(f"e2e/{prefix}", tag="py")
    assert any(f"e2e/{prefix}:py" in one.tags for one in client.images.list(name=f"e2e/{prefix}"))
    assert source.history()[0]["Size"] > 0
    client.images.remove(f"e2e/{prefix}:py")
    print("every statement held")


if __name__ == "__main__":
    main(*sys.argv[1:])
