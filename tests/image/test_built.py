"""What the image is made of."""

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import __version__
from tests.image import engine, scan

pytestmark = pytest.mark.timeout(900)

LIMIT_MB = 130  # feedbridge and its libraries, without the base


def test_sizes_are_printed_and_small(
    built: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = (one for one in built.splitlines() if " MB, of which " in one)
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
    numbers = [int(text) for text in re.findall(r"(\d+) MB", line)]
    assert len(numbers) == 3, line
    assert 0 < numbers[2] < LIMIT_MB


@pytest.mark.usefixtures("built")
def test_settings_of_the_image() -> None:
    """It starts without a shell, as a numeric user, and stops by SIGTERM."""
    config = engine.inspect()["Config"]
    assert config["Entrypoint"] == ["feedbridge"]
    assert config["Cmd"] == ["run"]
    assert config["User"] == f"{scan.USER}:{scan.GROUP}"
    assert config["StopSignal"] in {"SIGTERM", "15"}
    assert not config.get("Volumes")
    labels = {k.rpartition(".")[2]: v for k, v in config["Labels"].items()}
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    assert labels["source"]


@pytest.fixture(scope="session")
def ours(
    built: str, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Read every file of the layers above the base."""
    base = engine.inspect()["Config"]["Labels"]["org.opencontainers.image.base.name"]
    below = len(engine.inspect(base)["RootFS"]["Layers"])
    opened = enumerate(engine.layers(tmp_path_factory.mktemp("layers")))
    return [file for n, layer in opened if n >= below for file in _files(layer)]


def _files(layer: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for member in layer:
        stream = layer.extractfile(member) if member.isfile() else None
        yield member, stream.read() if stream else b""


def test_no_layer_holds_a_secret(ours: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    found = [f for m, content in ours for f in scan.secrets(m.name, content)]
    assert len(ours) > 1000
    assert found == []


def test_new_files_are_the_program_alone(
    ours: list[tuple[tarfile.TarInfo, bytes]],
) -> None:
    """No tests, no build tools, no caches; and every file in one folder."""
    paths = {m.name.strip("./") for m, _ in ours if m.isfile() and not m.mode & 0o6000}
    strange = {path for path in paths if not scan.is_ours(path)}
    assert {path for path in strange if not _was_hardened(path)} == set()
    packages = {path.split("/")[5] for path in paths if "/site-packages/" in path}
    assert not packages & {"pip", "hatchling", "tests", "avro"}
    assert {path.split("/")[3] for path in paths if "feedbridge/bin/" in path} == {
        "feedbridge"
    }


def _was_hardened(path: str) -> bool:
    """Programs of the base that lost their set-id bits, and the engine's own files."""
    return path.startswith(("usr/bin/", "usr/sbin/", "usr/lib/", "etc/", "run/"))


@pytest.mark.usefixtures("built")
def test_nobody_can_write_and_nothing_is_set_id(tmp_path: Path) -> None:
    """The whole file system, base included: only /tmp takes files."""
    archive = tmp_path / "root.tar"
    name = engine.ask("create", engine.IMAGE).strip()
    try:
        engine.ask("export", "--output", str(archive), name)
    finally:
        engine.ask("rm", name)
    with tarfile.open(archive) as root:
        members = root.getmembers()
    assert len(members) > 1000
    assert [found for member in members for found in scan.rights(member)] == []


@pytest.mark.usefixtures("built")
def test_bytecode_holds_no_time(ours: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Every .pyc is of the kind that is never checked against its source (PEP 552)."""
    flags = {content[4:8] for m, content in ours if m.name.endswith(".pyc")}
    assert flags == {b"\x01\0\0\0"}


def test_dockerfile_is_clean() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [linter, "--format=json", "Dockerfile"],
        cwd=engine.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout) == [], done.stderr
