"""An acknowledgement is true: what a member says that it holds is durable there (paper 5.3).

Decides: that. Must not know: who counts it.
Read next: votes.py, quorum.py.
"""

from replog_node.raft.messages import AppendReply, CoreMessage
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.durable import Kept
from tests.simulation.oracles.oracle import Oracle


class TrueAcknowledgements(Oracle):
    """Hears what members send. What was said in an older term binds nobody any more."""

    name = "true acknowledgements"

    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    def sent(self, member: str, message: CoreMessage, kept: Kept) -> None:
        """A member sends a message; kept: what is on its disk."""
        if not isinstance(message, AppendReply) or kept.hard.current_term > message.term:
            return
        if kept.hard.current_term < message.term:
            raise self.broken(f"{member} answers in {message.term}, its disk has {kept.hard}")
        term, offset = message.match
        if not message.ok or offset <= kept.start.position.offset:
            return
        chain = self._chains.end_at(kept.tail.chain, offset)
        link = None if chain is None else self._chains.link(chain)
        if link is None or link.term != term:
            raise self.broken(
                f"{member} acknowledges {message.match}, its disk ends at {kept.tail.position}"
            )
