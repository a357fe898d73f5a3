"""Log lines: one a line whatever is logged, with fields, bounded."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from replog.logs import LINE_CHARS_MAX, Log, configure


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give the root logger back as it was."""
    root, own = logging.getLogger(), logging.getLogger("replog_node")
    handlers, levels = list(root.handlers), (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def sink(log_format: str, level: str = "info") -> io.StringIO:
    """A stream that receives what is logged, by a member m1."""
    stream = io.StringIO()
    configure(log_format, level, stream=stream, member="m1")
    return stream


def test_a_json_line_has_time_level_event_member_and_fields() -> None:
    stream = sink("json")

    Log("replog_node.driver", role="leader").bind(term=3).info("role_changed", ready=False)

    line = json.loads(stream.getvalue())
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "event": "role_changed",
        "logger": "replog_node.driver",
        "member": "m1",
        "role": "leader",
        "term": 3,
        "ready": False,
    }


def test_a_plain_line_quotes_what_would_break_it() -> None:
    stream = sink("plain")

    Log("replog_node.web").warning(
        "refused", path="/a b", code="not_found", forged="x\nts=1 level=error"
    )

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.endswith(
        'warning refused member=m1 path="/a b" code=not_found forged="x\\nts=1 level=error"\n'
    )


def test_a_message_of_a_library_cannot_forge_a_line() -> None:
    stream = sink("plain")

    logging.getLogger("aiohttp.server").error("bad\nrequest")

    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("log_format", ["json", "plain"])
def test_a_line_is_bounded_and_a_long_value_keeps_its_end(log_format: str) -> None:
    stream = sink(log_format)

    Log("replog_node.web").info("one", value="x" * 100_000 + "END")
    Log("replog_node.web").info("many", **{f"f{i}": "y" * 1000 for i in range(100)})

    first, second = stream.getvalue().splitlines()
    assert len(first) <= LINE_CHARS_MAX and "END" in first
    assert len(second) <= LINE_CHARS_MAX and "many" in second


@pytest.mark.parametrize("log_format", ["json", "plain"])
def test_a_traceback_is_a_field_of_its_line(log_format: str) -> None:
    stream = sink(log_format)
    try:
        raise ValueError("broken")
    except ValueError as error:
        Log("replog_node.web").error("internal", error=error, id="e1")
        logging.getLogger("asyncio").exception("lost")

    assert [line.count("ValueError: broken") for line in stream.getvalue().splitlines()] == [1, 1]


def test_the_level_holds_for_our_lines_and_libraries_only_warn() -> None:
    stream = sink("plain", "error")
    Log("replog_node.web").warning("quiet")
    logging.getLogger("aiohttp.access").info("quiet")
    loud = sink("plain", "debug")

    Log("replog_node.web").debug("loud")

    assert (stream.getvalue(), "loud" in loud.getvalue()) == ("", True)
