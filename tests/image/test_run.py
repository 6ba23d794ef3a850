"""The image at work: read-only root, no capabilities, no shell, and a clean stop."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings, load
from bridge.config.plans import wanted_topics
from bridge.embedded import EmbeddedKafka
from tests.image import engine
from tests.support.processes import ask, settings_file, venue
from tests.support.running import wait_until

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("built")]

NO_NETWORK = ("--network=none",)
SHELLS = ("sh", "bash", "dash")
NO_SHELL = tuple(f"--volume=/dev/null:/usr/bin/{name}:ro" for name in SHELLS)
WHO = """
import json, os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
folders = [at for at, _, _ in os.walk("/") if not at.startswith(("/proc", "/sys"))]
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), *sorted(os.getgroups())],
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "writable": [at for at in folders if os.access(at, os.W_OK)],
    "interfaces": [name for _, name in socket.if_nameindex()],
}))
"""
BOOKS, GRACE_S = 10, 25
UNDER_LOAD = 2000  # records that were read before the stop


def test_nothing_can_be_written_or_gained(tmp_path: Path) -> None:
    options = (*NO_NETWORK, "--entrypoint=python")
    with engine.container(tmp_path, "-c", WHO, options=options) as made:
        assert made.wait() == 0, made.err.read_text()
        seen = json.loads(made.out.read_text())
    writable = [at for at in seen.pop("writable") if not at.startswith("/dev")]
    assert writable == []
    assert "lo" in seen.pop("interfaces")
    assert seen == {"ids": [10001, 0, 0], "capabilities": 0, "no_new_privileges": 1}


def test_demo_runs_without_a_shell_a_network_or_a_file(tmp_path: Path) -> None:
    verb = ("demo", "--seconds", "10", "--json")
    with engine.container(tmp_path, *verb, options=(*NO_NETWORK, *NO_SHELL)) as made:
        assert made.wait() == 0, made.err.read_text()
        seen = json.loads(made.out.read_text())
        changed = [line for line in made.written() if line.startswith("A ")]
    assert seen["complete"] is True
    assert seen["topics_without_records"] == []
    assert seen["worker"]["kafka"]["acked"] == seen["worker"]["kafka"]["produced"] > 0
    assert [line for line in changed if not _is_mount(line)] == []


def _is_mount(line: str) -> bool:
    """Engines make what they mount: name services, and a mark of their own."""
    return line.rsplit(maxsplit=1)[-1].startswith(
        ("/etc", "/run", "/dev", "/proc", "/sys")
    )


def test_stop_under_load_delivers_everything(tmp_path: Path) -> None:
    """SIGTERM ends a loaded worker within its grace, with exit 0 and no hole."""
    with _loaded(tmp_path) as (settings, path, login):
        options = ("--network=host", f"--volume={path.parent}:/settings:ro")
        variables = (f"--env=FEEDBRIDGE_CONFIG=/settings/{path.name}",)
        with engine.container(tmp_path, options=(*options, *variables)) as made:
            wait_until(lambda: _count(tmp_path, login) > UNDER_LOAD, "the load", 60)
            asked_s = time.monotonic()
            made.stop()
            assert made.wait() == 0, made.err.read_text()
            took_s = time.monotonic() - asked_s
            lines = made.err.read_text() + made.out.read_text()
        code, verdict = ask(tmp_path, "verify", "--all", "--json", variables=login)
    assert took_s < GRACE_S
    (stopped,) = (one for one in _events(lines) if one["event"] == "stopped")
    assert stopped["ledger"]["records"] > UNDER_LOAD
    assert (code, verdict["complete"]) == (0, True)
    assert verdict["records"] == sum(stopped["ledger"][n] for n in ("records", "marks"))
    assert not any(secret in lines for secret in _logins(settings))


def _events(lines: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in lines.splitlines() if line.startswith("{"))


def _count(folder: Path, login: dict[str, str]) -> int:
    _, verdict = ask(folder, "verify", "--all", "--json", variables=login)
    return int(verdict["records"])


def _logins(settings: Settings) -> list[str]:
    login = settings.finery["desk"].credentials()
    return [login.key, login.secret]


@contextmanager
def _loaded(folder: Path) -> Iterator[tuple[Settings, Path, dict[str, str]]]:
    """Run Kafka and a busy venue, and write the settings of a worker for them."""
    given = folder / "settings"
    given.mkdir(mode=0o755)
    load_options = ("finery", "--instruments", str(BOOKS), "--rate", "60")
    with EmbeddedKafka() as kafka, venue(folder, *load_options) as market:
        for name in ("key", "secret"):
            (given / name).write_text(market.facts[name])
        path = settings_file(given, _tree(kafka.bootstrap, market.facts["url"]))
        files = {
            "FEEDBRIDGE_CONFIG": str(path),
            "FEEDBRIDGE_FINERY__DESK__KEY_FILE": str(given / "key"),
            "FEEDBRIDGE_FINERY__DESK__SECRET_FILE": str(given / "secret"),
        }
        settings = load(None, files)
        for topic in wanted_topics(settings):
            kafka.create_topic(topic.name, topic.partitions)
        yield settings, path, files


def _tree(bootstrap: str, url: str) -> dict[str, Any]:
    """Return the settings as the container sees them: logins in mounted files."""
    books = ("BTC-USD", "ETH-USD", "BTC-EUR")
    return {
        "kafka": {"bootstrap_servers": bootstrap},
        "stop": {"grace_seconds": GRACE_S},
        "finery": {
            "desk": {
                "url": url,
                "key_file": "/settings/key",
                "secret_file": "/settings/secret",
                "subscriptions": [
                    *(f"book.tradable:{name}" for name in books),
                    *(f"book.global:{name}" for name in books),
                    "orders",
                ],
            }
        },
    }
