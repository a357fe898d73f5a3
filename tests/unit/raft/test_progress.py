"""What a leader concludes from one member's answers."""

from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.messages import HeartbeatReply
from replog_node.raft.progress import PROBE, REPLICATE, Progress


def at(offset: int) -> Position:
    """A position of term 2."""
    return Position(Term(2), Offset(offset))


def replicating(match: int) -> Progress:
    """A member that holds everything up to `match`."""
    progress = Progress(at(9), session=1, tick=0)
    progress.matched(at(match), tick=1)
    return progress


def test_the_first_answer_ends_the_questions() -> None:
    progress = Progress(at(9), session=1, tick=0)
    assert (progress.state, progress.sent, progress.match) == (PROBE, at(9), ORIGIN)
    progress.matched(at(5), tick=1)
    assert (progress.state, progress.sent, progress.match) == (REPLICATE, at(5), at(5))


def test_an_acknowledgement_frees_what_it_covers_and_shows_that_the_member_works() -> None:
    progress = replicating(5)
    for end in (6, 7, 8):
        progress.send(at(end), 100)
    progress.matched(at(7), tick=9)
    assert (progress.inflight_count, progress.inflight_bytes) == (1, 100)
    assert progress.acked_tick == 9
    assert progress.sent == at(8)


def test_an_older_acknowledgement_takes_nothing_back() -> None:
    progress = replicating(5)
    progress.matched(at(3), tick=2)
    assert progress.match == at(5)


def test_a_loss_frees_everything_and_begins_a_new_session_from_what_is_known() -> None:
    progress = replicating(5)
    progress.send(at(6), 100)
    progress.probe(session=2)
    assert (progress.state, progress.sent, progress.session) == (PROBE, at(5), 2)
    assert (progress.inflight_count, progress.inflight_bytes) == (0, 0)


def test_a_loss_before_the_first_answer_asks_the_same_again() -> None:
    progress = Progress(at(9), session=1, tick=0)
    progress.probe(session=2)
    assert progress.sent == at(9)


def test_each_question_is_lower_than_the_one_before() -> None:
    progress = Progress(at(9), session=1, tick=0)
    progress.differs(at(7), session=2, tick=1)
    assert progress.sent == at(7)
    progress.differs(at(7), session=3, tick=2)
    assert progress.sent == ORIGIN


def test_a_refusal_in_full_flight_asks_no_lower_than_what_is_acknowledged() -> None:
    progress = replicating(5)
    progress.send(at(6), 100)
    progress.differs(at(2), session=2, tick=1)
    assert (progress.state, progress.sent, progress.match) == (PROBE, at(5), at(5))


def test_a_member_that_denies_what_it_acknowledged_counts_for_what_it_holds() -> None:
    progress = replicating(5)
    progress.differs(at(2), session=2, tick=1)
    progress.differs(at(2), session=3, tick=2)
    assert (progress.sent, progress.match) == (at(2), at(2))


def test_a_member_knows_a_commit_once_it_answered_a_round_that_told_it() -> None:
    progress = replicating(5)
    progress.heartbeat_sent(3, 4)
    progress.heartbeat_sent(4, 5)
    progress.heartbeat_answered(2)
    assert progress.knows == -1
    progress.heartbeat_answered(4)
    assert progress.knows == 4
    progress.heartbeat_sent(5, 5)
    progress.heartbeat_answered(5)
    assert progress.knows == 5


def test_the_latest_round_answered_never_falls() -> None:
    progress = replicating(5)
    progress.heartbeat_answered(7)
    progress.heartbeat_answered(6)
    assert progress.round == 7


def test_a_member_that_holds_more_than_it_was_sent_is_sent_what_follows() -> None:
    """It has begun at a snapshot meanwhile."""
    progress = replicating(3)
    progress.send(at(4), 100)
    progress.matched(at(6), tick=2)
    assert (progress.sent, progress.match, progress.inflight_count) == (at(6), at(6), 0)


def test_what_it_says_about_its_disk_holds_until_it_says_something_newer() -> None:
    progress = replicating(3)
    assert (progress.whole, progress.known_whole, progress.roomy) == (True, False, True)
    assert not progress.disk_told(HeartbeatReply(Term(2), 5, 0, 10, full=True, whole=False))
    progress.heartbeat_answered(5)
    assert (progress.whole, progress.full, progress.roomy) == (False, True, False)
    assert not progress.disk_told(HeartbeatReply(Term(2), 4, 0, 10))
    assert (progress.whole, progress.full) == (False, True)
    assert progress.disk_told(HeartbeatReply(Term(2), 6, 0, 10, full=True))
    assert progress.disk_told(HeartbeatReply(Term(2), 6, 0, 10, low=True))
    assert (progress.whole, progress.full, progress.roomy) == (True, False, False)
