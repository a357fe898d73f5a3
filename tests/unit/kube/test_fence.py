"""Who may write until when (replog_operator/kube/fence.py)."""

import pytest

from replog_operator.kube.fence import Deposed, Epoch, Fence
from replog_operator.model.observed import lease_of

EPOCH = Epoch("replog-system/operator", 7, "pod-1-abc")


class Hand:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_nobody_writes_before_the_lease_is_held() -> None:
    with pytest.raises(Deposed, match="not held"):
        Fence(Hand()).check()


def test_writes_are_sent_until_the_time_of_the_last_renewal_is_up() -> None:
    clock = Hand()
    fence = Fence(clock)
    fence.extend(EPOCH, 110.0)
    clock.now_s = 109.9
    assert fence.check() == EPOCH and fence.remaining_s() == pytest.approx(0.1)
    clock.now_s = 110.0
    with pytest.raises(Deposed, match="renewed too long ago"):
        fence.check()
    fence.extend(EPOCH, 120.0)
    assert fence.check() == EPOCH


def test_who_gave_the_lease_up_writes_nothing_though_time_is_left() -> None:
    fence = Fence(Hand())
    fence.extend(EPOCH, 110.0)
    fence.close()
    assert fence.remaining_s() == 0
    with pytest.raises(Deposed):
        fence.check()


def test_members_are_told_of_which_lease_the_holder_is() -> None:
    assert EPOCH.holder == "replog-system/operator#pod-1-abc"
    assert lease_of(EPOCH.holder) == EPOCH.lease
