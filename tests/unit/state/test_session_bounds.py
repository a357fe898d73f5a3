"""docs/api.md and docs/codes.md name the bounds of producer sessions as the code has them."""

from replog.wire.codes import row
from replog.wire.limits import EXPIRES_AFTER_LEAST_MS, EXPIRES_AFTER_MOST_MS, UNUSED_MS
from replog_node.state.producers import SESSIONS_MAX
from tests.unit.house.files import text_of


def test_the_documents_name_the_bounds_of_sessions() -> None:
    text = text_of("docs/api.md").partition("\n## POST /v1/producers\n")[2].partition("\n## ")[0]

    assert f"{EXPIRES_AFTER_LEAST_MS}…{EXPIRES_AFTER_MOST_MS};" in text
    assert f"after {UNUSED_MS // 60_000} minutes" in text
    assert f"remembers {SESSIONS_MAX} of them" in text
    assert f"{SESSIONS_MAX} sessions" in row("producers_full").meaning
