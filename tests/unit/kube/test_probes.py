"""What kubelet is told of the operator (replog_operator/kube/probes.py)."""

import aiohttp
import pytest

from replog_operator.kube.probes import DEAD_S, Health, served


class Hand:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def ask(port: int, path: str) -> tuple[int, str]:
    """Status and text."""
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


@pytest.mark.asyncio
async def test_who_acts_is_alive_while_it_lists_all_logs_now_and_then() -> None:
    clock = Hand()
    health = Health(clock)
    async with served(health, lambda: b"", "127.0.0.1", 0) as port:
        clock.now_s += 10 * DEAD_S
        assert (await ask(port, "/livez"))[0] == 200  # it waits for the lease
        health.acts()
        clock.now_s += DEAD_S
        assert (await ask(port, "/livez"))[0] == 200
        clock.now_s += 1
        assert await ask(port, "/livez") == (503, "no list of all logs for 301 s\n")
        health.resynced()
        assert await ask(port, "/livez") == (200, "ok\n")


@pytest.mark.asyncio
async def test_it_is_ready_once_it_has_seen_the_lease_whoever_holds_it() -> None:
    health = Health(Hand())
    async with served(health, lambda: b"a 1\n", "127.0.0.1", 0) as port:
        assert (await ask(port, "/readyz"))[0] == 503
        health.connected = True
        assert (await ask(port, "/readyz"))[0] == 200
        assert await ask(port, "/metrics") == (200, "a 1\n")
