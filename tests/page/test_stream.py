"""The page says when it hears nothing, how old it is, and finds back by itself."""

from pathlib import Path

from tests.support import page_states as states
from tests.support.chromium import Page
from tests.support.page_server import StateServer

BANNER = "document.getElementById('banner')"
SUMMARY = "document.getElementById('summary').textContent"
LIVE = f"{SUMMARY} == 'All 50 subscriptions live.'"


def _open(tab: Page, server: StateServer) -> None:
    server.state = states.healthy
    tab.open(server.url)
    tab.until(LIVE)
    assert tab.ask(f"{BANNER}.hidden")


def test_a_lost_connection_is_told_and_found_again(
    tab: Page, server: StateServer, pictures: Path
) -> None:
    _open(tab, server)
    server.stop()
    tab.until(f"!{BANNER}.hidden")
    said = tab.ask(f"{BANNER}.textContent")
    assert said.startswith("Connection lost, retrying. What is shown is ")
    last = "No news from the worker. Last known: All 50 subscriptions live."
    assert tab.ask(SUMMARY) == last
    tab.until(f"{BANNER}.textContent.match(/is [3-9].[0-9] s old/)")
    tab.picture(pictures / "lost.png")
    server.start()
    tab.until(f"{BANNER}.hidden && {LIVE}")
    assert tab.ask("document.body.className") == ""


def test_a_stream_that_falls_silent_is_opened_anew(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server)
    server.mute()
    tab.until(f"!{BANNER}.hidden")
    opened = [url for url in tab.requests if url.endswith("/events")]
    server.state = states.healthy
    tab.until(f"{BANNER}.hidden && {LIVE}")
    again = [url for url in tab.requests if url.endswith("/events")]
    assert len(opened) <= len(again) <= len(opened) + 1


def test_a_server_without_events_is_asked_again(tab: Page, server: StateServer) -> None:
    server.state = lambda: 1 / 0
    tab.open(server.url)
    tab.until(f"!{BANNER}.hidden")
    said = "Connection lost, retrying. Nothing has been heard yet."
    assert tab.ask(f"{BANNER}.textContent") == said
    assert tab.ask(SUMMARY) == "No news from the worker."
    assert server.failed
    server.failed.clear()
    server.state = states.healthy
    tab.until(LIVE)


def test_what_is_no_json_is_told(tab: Page, server: StateServer) -> None:
    _open(tab, server)
    server.state = lambda: '{"worker": '
    tab.until(f"{BANNER}.textContent.startsWith('The worker sent what is no JSON')")
    server.state = states.healthy
    tab.until(f"{BANNER}.hidden")
    assert tab.complaints == []


def test_the_sentence_for_screen_readers_changes_only_with_its_sense(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server)
    tab.ask(
        "window.spoken = 0; new MutationObserver(() => spoken++).observe("
        "document.getElementById('summary'),"
        "{childList: true, characterData: true, subtree: true})"
    )
    before = server.streams
    while server.streams < before + 8:
        tab.ask("new Promise((done) => setTimeout(done, 100))")
    assert tab.ask("spoken") == 0
    server.state = states.broken
    tab.until("spoken == 1")
