"""Builds the image, and starts it as a careful platform would: nothing it can write."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/feedbridge:test"
BUILD_SECONDS, RUN_SECONDS, STOP_SECONDS = 600, 120, 60

HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--log-driver=none",
)
# podman adds writable folders to a read-only root, and raises limits that a
# container of its own may not raise.
OWN_OPTIONS = {
    "docker": (),
    "podman": (
        "--read-only-tmpfs=false",
        "--ulimit=nofile=4096:4096",
        "--ulimit=nproc=4096:4096",
    ),
}


@functools.cache
def engine() -> str | None:
    """Name the engine that can start images here; None if there is none."""
    if shutil.which("docker") and _call("docker", "info").returncode == 0:
        return "docker"
    return "podman" if shutil.which("podman") else None


@functools.cache
def missing() -> str | None:
    """Say what the image tier lacks here; None if it can run."""
    if engine() is None:
        return "no Docker engine answers, and no podman (scripts/image_tools.sh)"
    base = _call("bash", "-c", ". scripts/image_engine.sh; base_here")
    return None if base.stdout.strip() else "no base image (scripts/image_tools.sh)"


def _call(
    *command: str, seconds: float = RUN_SECONDS, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def build() -> str:
    """Build the image as `make image` does; return what the script printed."""
    done = _call("scripts/image.sh", seconds=BUILD_SECONDS, IMAGE=IMAGE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def ask(*arguments: str) -> str:
    """Run a command of the engine; return its output."""
    done = _call(str(engine()), *arguments)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def inspect(image: str = IMAGE) -> dict[str, Any]:
    """Return what the engine knows of an image."""
    found: list[dict[str, Any]] = json.loads(ask("image", "inspect", image))
    return found[0]


def layers(folder: Path) -> Iterator[tarfile.TarFile]:
    """Open the image's layers, the lowest first."""
    archive = folder / "image.tar"
    ask("save", "--output", str(archive), IMAGE)
    with tarfile.open(archive) as whole:
        for name in json.loads(_content(whole, "manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(_content(whole, name))) as layer:
                yield layer


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None, name
    return stream.read()


class Container:
    """One container in the foreground; its output is kept in files."""

    def __init__(
        self, folder: Path, options: Sequence[str], verb: Sequence[str]
    ) -> None:
        """Start it."""
        self.name = f"feedbridge-test-{os.getpid()}-{folder.name}"
        self.out, self.err = folder / "container.out", folder / "container.err"
        command = [str(engine()), "run", f"--name={self.name}", *HARDENED]
        command += [*OWN_OPTIONS[str(engine())], *options, IMAGE, *verb]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)

    def stop(self) -> None:
        """Ask the engine to stop it, which sends the image's stop signal."""
        ask("stop", "-t", str(STOP_SECONDS), self.name)

    def wait(self, seconds: float = RUN_SECONDS) -> int:
        """Return its exit code."""
        return self.process.wait(seconds)

    def written(self) -> list[str]:
        """List what it changed in its file system."""
        return ask("diff", self.name).split("\n")

    def remove(self) -> None:
        """End it whatever it does, and leave nothing."""
        _call(str(engine()), "rm", "--force", self.name)
        self.process.kill()
        self.process.wait()


@contextmanager
def container(folder: Path, *verb: str, options: Sequence[str]) -> Iterator[Container]:
    """Run a container for the length of a `with` block."""
    made = Container(folder, options, verb)
    try:
        yield made
    finally:
        made.remove()
