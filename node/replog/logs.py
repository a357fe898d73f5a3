"""Log lines of our processes: one event a line on stderr, with fields, as JSON or plain text.

Decides: the form of a line, its bound, and how records of libraries (aiohttp, asyncio) are shown.
An event is a name that never changes (`role_changed`), what varies is in fields; so lines can be
counted and searched.
Must not know: which events exist.
Read next: replog_node/settings.py (log_format, log_level).
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, Self, TextIO

import msgspec

LINE_CHARS_MAX: Final = 8192
"""A longer line is cut, so that a bad request or a deep traceback can't flood a collector."""

VALUE_CHARS_MAX: Final = 4096
"""A longer value of one field is cut; the end is kept, where a traceback says what happened."""

_OURS: Final = ("replog", "replog_node", "replog_operator")
"""Loggers whose level is set; those of libraries say only what is wrong."""
_FIELDS: Final = "replog_fields"
_CUT: Final = "…"

Value = str | int | float | bool | None


class Log:
    """A logger of events with fields that stand on each of its lines.

    name: package and part, for example `replog_node.web`.
    """

    __slots__ = ("_fields", "_logger")

    def __init__(self, name: str, **fields: Value) -> None:
        self._logger = logging.getLogger(name)
        self._fields = fields

    def bind(self, **fields: Value) -> Self:
        """The same logger with more fields on each line."""
        bound = type(self)(self._logger.name)
        bound._fields = {**self._fields, **fields}
        return bound

    def debug(self, event: str, **fields: Value) -> None:
        """Steps that only a person who looks for a fault wants to see."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Value) -> None:
        """What happened and is as it should be."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Value) -> None:
        """Something that the process lives with, and somebody should know."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, error: BaseException | None = None, **fields: Value) -> None:
        """A fault. error: its traceback goes into the line, as the field `traceback`."""
        if error is not None:
            fields["traceback"] = "".join(traceback.format_exception(error))
        self._log(logging.ERROR, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, Value]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={_FIELDS: {**self._fields, **fields}})


def configure(
    log_format: str, log_level: str, *, stream: TextIO | None = None, **fields: Value
) -> None:
    """Send all log records of the process to `stream` (stderr) in this form.

    fields: on each line, also on those of libraries (for example member). Calling it again
    replaces what the last call did.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(fields) if log_format == "json" else PlainLines(fields))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(log_level.upper())


class JsonLines(logging.Formatter):
    """One JSON object a line: ts, level, event, logger, then the fields."""

    def __init__(self, fields: dict[str, Value]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The line; when it is too long, without the fields but `cut`."""
        head: dict[str, Value] = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "event": _cut(record.getMessage()),
            "logger": record.name,
            **self._fields,
        }
        line = msgspec.json.encode({**head, **_fields_of(record)}).decode()
        if len(line) <= LINE_CHARS_MAX:
            return line
        return msgspec.json.encode({**head, "cut": len(line)}).decode()


class PlainLines(logging.Formatter):
    """For people: time, level, event, then name=value; values with blanks or controls quoted."""

    def __init__(self, fields: dict[str, Value]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The line, cut at its bound."""
        fields = {**self._fields, **_fields_of(record)}
        parts = [_timestamp(record), f"{record.levelname.lower():7}", _flat(record.getMessage())]
        parts += [f"{name}={_quoted(value)}" for name, value in fields.items()]
        line = " ".join(parts)
        return line if len(line) <= LINE_CHARS_MAX else line[: LINE_CHARS_MAX - 1] + _CUT


def _fields_of(record: logging.LogRecord) -> dict[str, Value]:
    """The event's fields; of a library's record, its traceback."""
    fields = {name: _cut(value) for name, value in getattr(record, _FIELDS, {}).items()}
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1]))
        fields["traceback"] = _cut(text)
    return fields


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(value: Value) -> Value:
    """The value, bounded; the end of a text says more than its beginning."""
    if isinstance(value, str) and len(value) > VALUE_CHARS_MAX:
        return _CUT + value[1 - VALUE_CHARS_MAX :]
    return value


def _flat(text: str) -> str:
    """A text without controls, so that nobody can forge a line."""
    return text if text.isprintable() else msgspec.json.encode(text).decode()


def _quoted(value: Value) -> str:
    """A value as plain text shows it."""
    if not isinstance(value, str):
        return str(value)
    if value and value.isprintable() and not set(value) & {" ", '"', "="}:
        return value
    return msgspec.json.encode(value).decode()
