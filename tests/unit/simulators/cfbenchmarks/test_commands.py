"""Reading commands and writing answers: `bridge.simulators.cfbenchmarks.commands`."""

import pytest

from bridge.simulators.cfbenchmarks.commands import failure, info, read, success
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions


def test_the_documented_error() -> None:
    """An invalid command is returned with `success` and `reason` (API v4)."""
    sent = '{ "type": "foo", "id": "BRTI", "stream": "value" }'
    expected = (
        '{"type":"foo","id":"BRTI","stream":"value",'
        '"success":false,"reason":"Unrecognised command"}'
    )
    assert failure(read(sent), "Unrecognised command") == expected


def test_an_echo_keeps_every_field_as_sent() -> None:
    """Unknown fields and the digits of numbers survive the echo."""
    sent = '{"type":"subscribe","cacheID":1.10,"id":"BRTI"}'
    command = read(sent)
    assert command is not None
    assert success(command) == (
        '{"type":"subscribe","cacheID":1.10,"id":"BRTI","success":true}'
    )


@pytest.mark.parametrize(
    "data", ["", "no", "[]", "1", '{"type":', b'{"type":"info"}', "[" * 100_000]
)
def test_not_a_command(data: str | bytes) -> None:
    """What is not a JSON object in a text frame is no command."""
    assert read(data) is None
    assert failure(None, "x") == '{"success":false,"reason":"x"}'


def test_fields_of_a_wrong_type_read_as_empty() -> None:
    """A number for a name is not a name."""
    command = read('{"type":1,"id":null,"stream":[],"maxResolution":2}')
    assert command is not None
    assert command[:4] == ("", "", "", "")


def test_info_lists_ids_alone() -> None:
    """Each entry of `info` has `id` only, in the order given."""
    options = CfBenchmarksOptions()
    expected = '{"type":"info","streams":[{"id":"ETHUSD_RTI"},{"id":"BRTI"}]}'
    assert info(("ETHUSD_RTI", "BRTI"), options) == expected
    options.spaces = True
    assert info(("BRR",), options) == '{"type": "info", "streams": [{"id": "BRR"}]}'
