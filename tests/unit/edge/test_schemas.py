"""The schema files are found, wherever the package runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.edge import schemas
from bridge.errors import SchemaError


def _write(folder: Path, name: str, schema: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.avsc").write_text(json.dumps(schema))


def _named(name: str) -> dict[str, object]:
    return {"type": "record", "namespace": "test", "name": name, "fields": []}


def test_every_file_is_found_by_its_full_name() -> None:
    """The names are the schemas' own, and the texts are the files' own."""
    found = schemas.bundled()
    assert {"finery.Book", "cfbenchmarks.Value", "feedbridge.FeedState"} <= found.keys()
    assert json.loads(found["finery.Book"])["name"] == "Book"
    files = Path(schemas.__file__).parents[2].glob("avro/*/*.avsc")
    assert len(found) == len(list(files))


def test_the_package_comes_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a wheel the schemas lie inside the package; in a checkout beside it."""
    package = tmp_path / "bridge"
    monkeypatch.setattr(schemas, "_PACKAGE", package)
    with pytest.raises(SchemaError, match="no schema files"):
        schemas.bundled()

    _write(tmp_path / "avro" / "test", "outside", _named("Outside"))
    assert list(schemas.bundled()) == ["test.Outside"]

    _write(package / "avro" / "test", "inside", _named("Inside"))
    assert list(schemas.bundled()) == ["test.Inside"]


def test_released_schemas_are_not_bundled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of old releases are read apart; the newest release counts, by number."""
    monkeypatch.setattr(schemas, "_PACKAGE", tmp_path)
    _write(tmp_path / "avro" / "test", "now", _named("Now"))
    assert schemas.released() == {}

    released = tmp_path / "avro" / "released"
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        name = f"V{version.replace('.', '_')}"
        _write(released / version / "test", "then", _named(name))
    (released / "README.md").write_text("kept")

    assert list(schemas.released()) == ["test.V0_10_0"]
    assert list(schemas.bundled()) == ["test.Now"]


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "X"}'])
def test_a_broken_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A file that is no record schema raises SchemaError with the file's name."""
    monkeypatch.setattr(schemas, "_PACKAGE", tmp_path)
    (tmp_path / "avro" / "test").mkdir(parents=True)
    (tmp_path / "avro" / "test" / "broken.avsc").write_text(text)
    with pytest.raises(SchemaError, match=r"broken\.avsc"):
        schemas.bundled()
