"""The page's files: all in the wheel, small, and nothing from anywhere else."""

import re
from pathlib import Path

import pytest

from bridge.app.web import page

ROOT = Path(__file__).parents[2]
MOST_BYTES = 60_000
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
# What would turn a foreign text into markup or code, or change something.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|"
    r"document\.write|\beval\b|new Function|XMLHttpRequest|sendBeacon|WebSocket|"
    r"\bfetch\(|cssText|setAttribute\(.style|localStorage|\bcookie\b"
)
ANSWERS = {path: route("") for path, route in page().items()}
TEXTS = {path: answer.body.decode() for path, answer in ANSWERS.items()}


def test_the_page_is_there_with_all_that_it_asks_for() -> None:
    assert {"/", "/page.css", "/page.js"} <= TEXTS.keys()
    asked = re.findall(r'(?:src|href)="([^":]+\.(?:js|css))"', TEXTS["/"])
    for path, text in TEXTS.items():
        asked += re.findall(r'from "\./([^"]+)"', text) if path.endswith(".js") else []
    assert {f"/{name}" for name in asked} | {"/"} == TEXTS.keys()


def test_media_types_are_those_that_nosniff_demands() -> None:
    kinds = {path.rpartition(".")[2]: a.content_type for path, a in ANSWERS.items()}
    assert kinds == {
        "/": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }


def test_all_of_it_is_small() -> None:
    assert sum(len(answer.body) for answer in ANSWERS.values()) < MOST_BYTES


@pytest.mark.parametrize("path", TEXTS)
def test_nothing_comes_from_anywhere_else(path: str) -> None:
    text = TEXTS[path].replace(SVG_NAMESPACE, "")
    assert re.findall(r"(?:https?:)?//[\w.]+\.\w+|url\(|@import", text) == []


@pytest.mark.parametrize("path", [path for path in TEXTS if path.endswith(".js")])
def test_scripts_have_no_way_to_make_markup_or_to_change_anything(path: str) -> None:
    assert FORBIDDEN.findall(TEXTS[path]) == []


def test_the_document_has_no_inline_code_and_no_controls() -> None:
    found = re.findall(
        r"\son\w+=|\sstyle=|<style|<script>|<(?:form|button|input|iframe)", TEXTS["/"]
    )
    assert found == []


def test_nothing_moves() -> None:
    assert re.findall(r"animation|transition|@keyframes", TEXTS["/page.css"]) == []


def test_the_wheel_has_every_file() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    included = wheel.WheelBuilder(str(ROOT)).recurse_included_files()
    names = {file.distribution_path for file in included}
    files = {p.name for p in (ROOT / "bridge/page").iterdir() if p.is_file()}
    assert {f"bridge/page/{name}" for name in files} <= names
    assert len(files) == len(TEXTS) + 1  # and the module itself
