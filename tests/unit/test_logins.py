"""Logins are read afresh, hidden before they are used, and never made worse."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.app.logins import AccountLogin, Logins
from bridge.app.rotation import names
from bridge.config import Settings, load
from bridge.errors import ConfigError, VenueUnreachable
from bridge.flow.feed import Feed
from tests.support.clock import ManualClock
from tests.support.processes import settings_file
from tests.support.running import Run
from tests.unit.flow.fakes import PLAN


def made(folder: Path) -> Settings:
    """Return settings of one account whose login is two files."""
    (folder / "key").write_text("first-key\n")
    (folder / "secret").write_text("first-secret\n")
    files = {f"{name}_file": str(folder / name) for name in ("key", "secret")}
    desk = {"subscriptions": ["orders"], **files}
    orders = {"responses": "finery.responses", "accounts": ["desk"]}
    tree = {
        "kafka": {"bootstrap_servers": "127.0.0.1:9"},
        "finery": {"desk": desk},
        "commands": {"finery.commands": orders},
    }
    return load(settings_file(folder, tree), {})


class Renewed:
    """A feed that notes since when its login must be, or fails."""

    def __init__(self, source: str, error: Exception | None = None) -> None:
        self.plan = PLAN.__class__(
            source=source, venue="finery", name="x", subscriptions=(), bindings=()
        )
        self.since: list[int] = []
        self.error = error

    async def renew(self, since_ns: int) -> None:
        """Note the call."""
        self.since.append(since_ns)
        if self.error is not None:
            raise self.error


def test_what_is_read_is_hidden_and_broken_files_change_nothing(tmp_path: Path) -> None:
    """The last good login is used as long as the files hold no other."""
    settings = made(tmp_path)
    source = settings.sources()[0]
    logins, hidden = Logins(settings), list[str]()
    logins.hide = hidden.append
    assert logins.usable(source).key == "first-key"
    assert hidden == ["first-key", "first-secret"]

    (tmp_path / "key").write_text("")
    with pytest.raises(ConfigError, match="the login is empty"):
        logins.read(source)
    assert logins.usable(source).key == "first-key"
    (tmp_path / "key").unlink()
    with pytest.raises(FileNotFoundError):
        logins.read(source)
    (tmp_path / "key").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        logins.read(source)
    assert logins.usable(source).secret == "first-secret"

    (tmp_path / "key").write_text("second-key")
    assert logins.usable(source).key == "second-key"
    assert hidden[-2:] == ["second-key", "first-secret"]


def test_without_any_good_login_the_error_comes_out(tmp_path: Path) -> None:
    """There is nothing to fall back on."""
    settings = made(tmp_path)
    (tmp_path / "secret").unlink()
    with pytest.raises(FileNotFoundError):
        Logins(settings).usable(settings.sources()[0])


def test_all_connections_of_the_account_take_it_up_until_one_fails(
    run: Run, tmp_path: Path
) -> None:
    """Others are not asked, and what follows a failure is not tried."""
    settings = made(tmp_path)
    clock = ManualClock()
    error = VenueUnreachable("desk", "no route")
    feeds = [Renewed("desk"), Renewed("other"), Renewed("desk", error), Renewed("desk")]
    login = AccountLogin(
        settings.sources()[0],
        Logins(settings),
        clock,
        lambda: cast("list[Feed]", feeds),
    )
    first = login.look()
    clock.step(5)
    assert login.look() == first
    (tmp_path / "key").write_text("second-key")
    assert login.look() != first
    clock.step(5)
    with pytest.raises(VenueUnreachable):
        run(login.renew())

    assert [feed.since for feed in feeds] == [[5_000_000_000], [], [5_000_000_000], []]


def test_a_digest_tells_key_and_secret_apart(tmp_path: Path) -> None:
    """A letter that moves from one to the other is a change."""
    settings = made(tmp_path)
    source, seen = settings.sources()[0], set[bytes]()
    login = AccountLogin(source, Logins(settings), ManualClock(), list)
    for key, secret in (("ab", "c"), ("a", "bc")):
        (tmp_path / "key").write_text(key)
        (tmp_path / "secret").write_text(secret)
        seen.add(login.look())

    assert len(seen) == 2


def test_every_part_has_a_name(tmp_path: Path) -> None:
    """Feeds and orders of an account are apart; the metric begins at zero for each."""
    assert list(names(made(tmp_path))) == ["desk", "desk/orders", "kafka"]


def test_looks_in_threads_lose_no_secret(run: Run, tmp_path: Path) -> None:
    """Whoever hides does so one at a time."""
    settings = made(tmp_path)
    logins = Logins(settings)
    inside: list[Any] = []
    most = 0

    def hide(secret: str) -> None:
        nonlocal most
        inside.append(secret)
        most = max(most, len(inside))
        inside.pop()

    logins.hide = hide
    source = settings.sources()[0]

    async def story() -> None:
        reads = (asyncio.to_thread(logins.read, source) for _ in range(20))
        await asyncio.gather(*reads)

    run(story())

    assert most == 1
