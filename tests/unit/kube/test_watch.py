"""Which log an event is about (replog_operator/kube/watch.py)."""

from itertools import islice
from typing import Any

import pytest

from replog_operator.kube.children.names import labels
from replog_operator.kube.kinds import LOG, POD, TASK, Kind
from replog_operator.kube.watch import Backoff, key_of
from replog_operator.kube.workqueue import Key

WHERE = {"namespace": "ns", "name": "x"}


@pytest.mark.parametrize(
    ("kind", "found", "key"),
    [
        (LOG, {"metadata": WHERE}, Key("ns", "x")),
        (TASK, {"metadata": WHERE, "spec": {"log": "orders"}}, Key("ns", "orders")),
        (TASK, {"metadata": WHERE}, None),
        (POD, {"metadata": {**WHERE, "labels": labels("orders")}}, Key("ns", "orders")),
        (POD, {"metadata": WHERE}, None),
        (POD, {}, None),
    ],
)
def test_an_object_leads_to_its_log(kind: Kind, found: dict[str, Any], key: Key | None) -> None:
    assert key_of(kind, found) == key


def test_a_watch_is_tried_again_without_an_end_and_never_long_after() -> None:
    waits = list(islice(Backoff(), 100))
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0] and max(waits) == 8.0
