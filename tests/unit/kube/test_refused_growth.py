"""Claims that may not grow (replog_operator/kube/refused_growth.py)."""

import pytest

from replog_operator.kube import refused_growth as module
from replog_operator.kube.refused_growth import ASK_AGAIN_S, RefusedGrowth


def test_a_refusal_is_known_for_a_while_and_then_asked_again() -> None:
    growth = RefusedGrowth()
    growth.note("u", "the class can't", 100.0)
    assert growth.known(100.0 + ASK_AGAIN_S - 1) == {"u": "the class can't"}
    assert growth.known(100.0 + ASK_AGAIN_S) == {}


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 1)
    growth = RefusedGrowth()
    growth.note("u", "no", 0.0)
    growth.note("v", "no", 0.0)
    assert growth.known(0.0) == {"v": "no"}
