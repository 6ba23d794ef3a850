"""A small scan of an image's files: secrets, and rights that nobody needs."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath
from tarfile import TarInfo
from typing import NamedTuple

USER, GROUP = 10001, 0  # of the image
LARGEST_BYTES = 4_000_000  # larger files are libraries
HOME = PurePosixPath("opt/feedbridge")
FORBIDDEN_NAMES = frozenset({".git", ".env", ".cache", ".netrc", ".pypirc", "pip.conf"})
FORBIDDEN_ENDINGS = (".key", ".p12", ".jks", ".keytab")
# A key with its body: libraries name the first line alone.
SECRETS = {
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}",
    "a cloud access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": rb"\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{36}\b",
    "a GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20}\b",
    "a PyPI token": rb"\bpypi-AgE[A-Za-z0-9_-]{40}",
    "a Slack token": rb"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{8,}",
    "a login in an address": rb"\bhttps?://[\w.-]{3,}:[\w.%-]{8,}@[\w-]+\.[a-z]",
}
# What the docstrings of OpenTelemetry and urllib3 say, to the letter.
DOCUMENTED = (
    b"https://username:password@www.example.com/",
    b"https://REDACTED:REDACTED@www.example.com/",
    b"https://username:password@host.com:80/",
)
COMPILED = {what: re.compile(pattern) for what, pattern in SECRETS.items()}


class Finding(NamedTuple):
    """One thing that an image must not hold."""

    path: str
    why: str


def secrets(path: str, content: bytes) -> Iterator[Finding]:
    """Look for secrets by a file's name and content."""
    pure = PurePosixPath(path)
    if FORBIDDEN_NAMES & set(pure.parts) or pure.name.endswith(FORBIDDEN_ENDINGS):
        yield Finding(path, "a file of this name")
    for text in DOCUMENTED:
        content = content.replace(text, b"")
    if len(content) <= LARGEST_BYTES:
        for what, pattern in COMPILED.items():
            if pattern.search(content):
                yield Finding(path, what)


def rights(member: TarInfo) -> Iterator[Finding]:
    """Look for set-id bits and for what the image's user could write."""
    if member.issym() or member.islnk() or member.isdev():
        return
    if member.mode & (stat.S_ISUID | stat.S_ISGID):
        yield Finding(member.name, "set-id")
    if _is_writable(member) and member.name.strip("./") != "tmp":
        yield Finding(member.name, "writable")


def _is_writable(member: TarInfo) -> bool:
    owned = member.uid == USER
    by_group = member.gid == GROUP and member.mode & stat.S_IWGRP
    return bool(owned or by_group or member.mode & stat.S_IWOTH)


def is_ours(path: str) -> bool:
    """Tell whether a path is the program's own folder, or on the way to it."""
    pure = PurePosixPath(path)
    return pure.is_relative_to(HOME) or HOME.is_relative_to(pure)
