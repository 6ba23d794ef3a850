"""The scan itself: it finds what it is for, and lets libraries be."""

from tarfile import TarInfo

import pytest

from tests.image import scan

BODY = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 2
HEAD = b"-----BEGIN " + b"RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEAD + BODY, "a private key"),
        (b"key = '" + b"AKIA" + b"ABCDEFGHIJKLMNOP'", "a cloud access key"),
        (b"token " + b"ghp_" + b"a" * 36, "a GitHub token"),
        (b"https://username:pass" + b"word@venue.example/", "a login in an"),
        (b"index = https://robot:" + b"hunter2hunter2@pypi.test/", "a login in an"),
    ],
)
def test_secret_is_found(content: bytes, why: str) -> None:
    (found,) = scan.secrets("opt/feedbridge/x.txt", content)
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    "content",
    [
        b"if text.startswith('" + HEAD + b"')",
        b"http://user:pass@host",
        b"https://username:password@host.com:80/path",
    ],
)
def test_mention_is_no_secret(content: bytes) -> None:
    assert not list(scan.secrets("opt/feedbridge/x.py", content))


@pytest.mark.parametrize("path", ["x/.git/config", "root/.cache/y", "etc/worker.key"])
def test_forbidden_name_is_found(path: str) -> None:
    assert len(list(scan.secrets(path, b""))) == 1


def _member(name: str, mode: int, uid: int = 0, gid: int = 0) -> TarInfo:
    member = TarInfo(name)
    member.mode, member.uid, member.gid = mode, uid, gid
    return member


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (_member("usr/bin/su", 0o4755), "set-id"),
        (_member("var/mail", 0o2755), "set-id"),
        (_member("var/tmp", 0o1777), "writable"),
        (_member("opt/x", 0o755, uid=scan.USER), "writable"),
        (_member("opt/y", 0o775), "writable"),
    ],
)
def test_needless_right_is_found(member: TarInfo, why: str) -> None:
    assert [found.why for found in scan.rights(member)] == [why]


def test_plain_file_and_tmp_are_fine() -> None:
    plain = _member("opt/feedbridge/bin/feedbridge", 0o755)
    assert not [*scan.rights(plain), *scan.rights(_member("./tmp", 0o1777))]
