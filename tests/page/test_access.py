"""The page is for everybody: structure, contrast, phones, calm."""

import json
from pathlib import Path

import pytest

from tests.support import page_states as states
from tests.support.chromium import Page
from tests.support.page_server import StateServer

LOWEST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3 Contrast (Minimum), level AA
SHOWN = "document.querySelectorAll('#subscriptions svg polyline').length >= 50"
# Every text with its own colour against the nearest background behind it.
CONTRAST = """(() => {
  const parts = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = ([r, g, b]) =>
    0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    throw new Error('no background');
  };
  const ratio = (node, colour) => {
    const both = [luminance(parts(colour)), luminance(behind(node))].sort();
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  const found = {};
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(
      (one) => one.nodeType === Node.TEXT_NODE && one.textContent.trim());
    if (own) found[`${node.tagName}.${node.className}#${node.id}`] =
      ratio(node, getComputedStyle(node).color);
    if (node.dataset?.label)
      found[`label of ${node.tagName}`] =
        ratio(node, getComputedStyle(node, '::before').color);
    if (node.tagName === 'polyline')
      found.polyline = ratio(node.closest('td'), getComputedStyle(node).stroke);
  }
  return found;
})()"""
STRUCTURE = """({
  lang: document.documentElement.lang,
  h1: document.querySelectorAll('h1').length,
  landmarks: ['header', 'main', 'nav', 'footer'].map(
    (name) => document.querySelectorAll(name).length),
  nameless: [...document.querySelectorAll('section')].filter(
    (one) => !document.getElementById(one.getAttribute('aria-labelledby'))
      ?.textContent).length,
  live: [...document.querySelectorAll('[aria-live], [role=alert], [role=status]')].map(
    (one) => one.id),
  tables: document.querySelectorAll('table').length,
  captionless: [...document.querySelectorAll('table')].filter(
    (one) => !one.caption?.textContent).length,
  headless: [...document.querySelectorAll('table')].filter((one) =>
    ![...one.tHead.rows[0].cells].every(
      (cell) => cell.scope === 'col' && cell.textContent)).length,
  unlabelled: [...document.querySelectorAll('tbody tr')].filter((one) =>
    one.cells[0].tagName !== 'TH' || one.cells[0].scope !== 'row' ||
    !one.cells[0].textContent).length,
  wordless: [...document.querySelectorAll('.word')].filter(
    (one) => !/^[✓✗] ./.test(one.textContent)).length,
  pictures: document.querySelectorAll('svg:not([aria-hidden=true])').length,
  ids: document.querySelectorAll('[id]').length
    - new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size,
})"""


@pytest.fixture
def shown(tab: Page, server: StateServer) -> Page:
    """Open the page with three things broken."""
    server.state = states.broken
    tab.open(server.url)
    tab.until(SHOWN)
    return tab


def test_landmarks_headers_and_labels_are_there(shown: Page) -> None:
    found = shown.ask(STRUCTURE)
    assert found == {
        "lang": "en",
        "h1": 1,
        "landmarks": [1, 1, 1, 1],
        "nameless": 0,
        "live": ["summary"],
        "tables": 7,
        "captionless": 0,
        "headless": 0,
        "unlabelled": 0,
        "wordless": 0,
        "pictures": 0,
        "ids": 0,
    }


@pytest.mark.parametrize("width", [1280, 360])
def test_a_screen_reader_meets_tables_at_any_width(shown: Page, width: int) -> None:
    shown.size(width, 740)
    tree = shown.send("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    rows = shown.ask("document.querySelectorAll('tbody tr').length")
    columns = shown.ask("document.querySelectorAll('thead th').length")
    assert roles.count("table") == 7
    assert roles.count("rowheader") == rows
    assert roles.count("columnheader") == columns
    assert {"banner", "main", "navigation", "contentinfo", "region"} <= set(roles)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_text_stands_out(
    shown: Page, server: StateServer, pictures: Path, scheme: str, width: int
) -> None:
    shown.size(width, 740)
    shown.prefer(color_scheme=scheme)
    server.stop()  # the banner is a text, too
    shown.until("!document.getElementById('banner').hidden")
    found = shown.ask(CONTRAST)
    assert {"polyline", "P.#banner", "SPAN.word#", "SPAN.word good#"} <= set(found)
    weak = {name: n for name, n in found.items() if n < LOWEST_CONTRAST}
    assert weak == {}, json.dumps(found, indent=1)
    shown.picture(pictures / f"{scheme}-{width}.png")


def test_dark_is_really_dark(shown: Page) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    shown.prefer(color_scheme="light")
    light = shown.ask(paper)
    shown.prefer(color_scheme="dark")
    assert (light, shown.ask(paper)) == ("rgb(255, 255, 255)", "rgb(17, 22, 28)")


@pytest.mark.parametrize("width", [320, 360, 768, 1200, 1201, 1280, 2560])
def test_no_width_scrolls_sideways(shown: Page, width: int) -> None:
    shown.size(width, 740)
    assert shown.ask("document.documentElement.scrollWidth") == width
    beyond = f"""[...document.querySelectorAll('tbody *, p, li')].filter((one) =>
        one.getBoundingClientRect().right > {width} + 1).map((one) => one.textContent)
    """
    assert shown.ask(beyond) == []


def test_lines_stand_still_for_those_who_ask_for_less_motion(
    tab: Page, server: StateServer
) -> None:
    tab.prefer(reduced_motion="reduce")
    server.state = states.healthy
    tab.open(server.url)
    tab.until(SHOWN)
    points = "document.querySelector('#connections polyline').points.length"
    before, told = tab.ask(points), server.streams
    while server.streams < told + 10:
        tab.ask("new Promise((done) => setTimeout(done, 100))")
    assert tab.ask(points) == before
    assert tab.ask("document.getAnimations().length") == 0
