"""What a refusal means for what is planned next."""

import pytest

from replog.client import ApiError, Unavailable
from replog_operator.kube.outcomes import of_server
from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.members.outcomes import Became, of_member


@pytest.mark.parametrize(
    ("status", "became"),
    [
        (409, Became.SUPERSEDED),
        (404, Became.SUPERSEDED),
        (403, Became.REFUSED),
        (422, Became.REFUSED),
        (429, Became.REFUSED),
        (500, Became.UNKNOWN),
        (504, Became.UNKNOWN),
    ],
)
def test_of_an_api_server(status: int, became: Became) -> None:
    outcome = of_server(Refused(status, "Reason", "because"))

    assert (outcome.became, outcome.code, outcome.message) == (became, "Reason", "because")


def test_a_server_that_does_not_answer_may_have_done_it() -> None:
    assert of_server(Unanswered("no route")).became is Became.UNKNOWN


@pytest.mark.parametrize(
    ("code", "became"),
    [
        ("stale_plan", Became.SUPERSEDED),
        ("not_leader", Became.SUPERSEDED),
        ("change_in_progress", Became.SUPERSEDED),
        ("stale_epoch", Became.REFUSED),
        ("already_bootstrapped", Became.REFUSED),
        ("timeout", Became.UNKNOWN),
        ("outcome_unknown", Became.UNKNOWN),
    ],
)
def test_of_a_member(code: str, became: Became) -> None:
    assert of_member(ApiError(code, "because")).became is became


@pytest.mark.parametrize(
    ("outcome", "became"), [("none", Became.REFUSED), ("unknown", Became.UNKNOWN)]
)
def test_a_silent_member(outcome: str, became: Became) -> None:
    assert of_member(Unavailable("no route", outcome)).became is became
