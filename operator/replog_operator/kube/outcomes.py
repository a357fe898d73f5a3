"""What an API server's refusal means for a step.

Decides: that. Must not know: what the step was. Read next: ../members/outcomes.py, hands.py.
"""

from http import HTTPStatus

from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.members.outcomes import Became, Outcome


def of_server(problem: Refused | Unanswered) -> Outcome:
    """What an API server's refusal means."""
    if isinstance(problem, Unanswered):
        return Outcome(Became.UNKNOWN, "Unanswered", str(problem))
    became = Became.REFUSED
    if problem.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
        became = Became.SUPERSEDED
    elif problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        became = Became.UNKNOWN
    return Outcome(became, problem.reason, problem.message)
