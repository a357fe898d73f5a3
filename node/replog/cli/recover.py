"""`replog recover`: a log that has lost its majority for good goes on from one member.

In two commands, so that a person looks between them: the first fences every member that answers
and says what each has; the second lets the one with the most go on alone.

Decides: what is said, and which member it is. Must not know: how a member goes on.
Read next: ../wire/recovery.py, docs/api.md (Recovery from a lost majority).
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import click
import msgspec

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, Failure, run
from replog.cli.options import Shared, shared
from replog.cli.showing import new_table, print_json, print_table
from replog.client import ApiError, Client, Unavailable
from replog.wire.recovery import ForceMembersRequest, Survey
from replog.wire.schemas import ClusterStatus

DEFAULT_PEERS: Final = "127.0.0.1:7411,127.0.0.1:7412,127.0.0.1:7413"

SILENT_S: Final = 5.0
"""A member that says nothing for so long isn't there."""

LOOK_S: Final = 0.2

MemberCall = Callable[[Client, str], Awaitable[Survey]]


class Found(msgspec.Struct, frozen=True):
    """What was said: by endpoint, of those that answered; and the reasons of the others."""

    surveys: dict[str, Survey]
    silent: dict[str, str]

    @property
    def best(self) -> tuple[str, Survey] | None:
        """The endpoint and survey of who has the most, of those whose log is whole."""
        whole = [each for each in self.surveys.items() if each[1].whole and voters(each[1])]
        return max(whole, key=lambda each: (_end(each[1]), each[0]), default=None)


def _end(survey: Survey) -> tuple[int, int]:
    return survey.last_term, survey.last_offset


def voters(survey: Survey) -> list[str]:
    """All voters of both halves, ordered."""
    return sorted({*survey.voters, *survey.outgoing})


def others(survey: Survey) -> list[str]:
    """The voters beside this member."""
    return [each for each in voters(survey) if each != survey.member]


@click.command()
@click.option(
    "--peer-endpoint", "peers", envvar="REPLOG_PEER_ENDPOINTS", default=DEFAULT_PEERS,
    show_default=True, help="Peer listeners of all members, host:port, by commas.",
)  # fmt: skip
@click.option(
    "--stopped", metavar="IDS", help="All other voters, by commas: they are stopped for good."
)
@click.option("--yes", is_flag=True, help="Do it: the member with the most goes on alone.")
@click.option("--cancel", is_flag=True, help="Lift the fences again; nothing else has happened.")
@shared
def recover(options: Shared, peers: str, stopped: str | None, *, yes: bool, cancel: bool) -> None:
    """Let a log that has lost its majority for good go on from one member.

    Without options: fence every member that answers, and show what each has and what may be lost.
    """
    endpoints = [text.strip() for text in peers.split(",") if text.strip()]
    if cancel and (stopped is not None or yes):
        raise Failure("--cancel goes with neither --stopped nor --yes", EXIT_USAGE)
    if (stopped is None) == yes:
        raise Failure("--stopped and --yes go together", EXIT_USAGE)
    if cancel:
        run(_cancel(options, endpoints))
    elif stopped is None:
        run(_survey(options, endpoints))
    else:
        run(_force(options, endpoints, [each.strip() for each in stopped.split(",") if each]))


async def _survey(options: Shared, endpoints: Sequence[str]) -> None:
    before = await _asked(options, endpoints, lambda client, at: client.survey(at))
    await _refuse_if_led(options, before)
    holders = sorted({each.fenced_by for each in before.surveys.values()} - {""})
    if len(holders) > 1:
        raise Failure(f"several operations fence members: {', '.join(holders)}", EXIT_REFUSED)
    operation = holders[0] if holders else f"recover-{uuid.uuid4()}"
    found = await _asked(options, endpoints, lambda client, _: client.fence(operation))
    if options.json:
        best = found.best
        print_json({"operation": operation, "surveys": found.surveys, "silent": found.silent,
                    "best": best and best[1].member})  # fmt: skip
        return
    _show(found)


async def _refuse_if_led(options: Shared, found: Found) -> None:
    """A log that has a leader needs no recovery. Raises Failure."""
    for endpoint in found.surveys:
        async with _client(options, endpoint) as client:
            known: ClusterStatus = await client.status(endpoint)
        if known.role == "leader" and known.admitting:
            raise Failure(
                f"{known.member} leads the log and takes appends: nothing is to be recovered,"
                " and nothing was done",
                EXIT_REFUSED,
            )


async def _force(options: Shared, endpoints: Sequence[str], stopped: list[str]) -> None:
    found = await _asked(options, endpoints, lambda client, at: client.survey(at))
    if found.best is None:
        raise Failure("no member that answers could go on; see `replog recover`", EXIT_REFUSED)
    endpoint, best = found.best
    if not all(each.fenced_by == best.fenced_by != "" for each in found.surveys.values()):
        raise Failure("not every member that answers is fenced: `replog recover`", EXIT_REFUSED)
    request = ForceMembersRequest(
        operation=best.fenced_by,
        number=best.number + 1,
        last_offset=best.last_offset,
        chain=best.chain,
        stopped=[_voter(best, text) for text in stopped],
    )
    async with _client(options, endpoint) as client:
        done = await client.force_members(request)
        await _until_it_leads(client, endpoint, request.number, options.timeout_s)
    if options.json:
        print_json(done)
    else:
        click.echo(f"{best.member}: {done.detail}")


async def _until_it_leads(client: Client, endpoint: str, number: int, limit_s: float) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while loop.time() < until_s:
        await asyncio.sleep(LOOK_S)
        try:
            known = await client.status(endpoint)
        except (ApiError, Unavailable):
            continue  # it is starting anew
        if known.role == "leader" and (known.lineage or "").startswith(f"{number}."):
            return
    raise Failure("it was ordered, and is not there yet; see `replog status`", EXIT_UNAVAILABLE)


async def _cancel(options: Shared, endpoints: Sequence[str]) -> None:
    found = await _asked(options, endpoints, lambda client, at: client.survey(at))
    for endpoint, survey in found.surveys.items():
        if survey.fenced_by:
            async with _client(options, endpoint) as client:
                done = await client.unfence(survey.fenced_by)
            click.echo(f"{survey.member}: {done.detail}", err=options.json)
    for endpoint, reason in found.silent.items():
        click.echo(f"{endpoint}: no answer, so a fence there stays: {reason}", err=True)


async def _asked(options: Shared, endpoints: Sequence[str], call: MemberCall) -> Found:
    """Ask every member at once; raises Failure when none answers."""
    surveys: dict[str, Survey] = {}
    silent: dict[str, str] = {}

    async def ask(endpoint: str) -> None:
        try:
            async with _client(options, endpoint) as client:
                surveys[endpoint] = await call(client, endpoint)
        except (ApiError, Unavailable) as problem:
            silent[endpoint] = problem.detail

    await asyncio.gather(*map(ask, endpoints))
    if not surveys:
        said = "; ".join(f"{each}: {silent[each]}" for each in endpoints)
        raise Failure(f"no member answered: {said}", EXIT_UNAVAILABLE)
    return Found(
        {each: surveys[each] for each in endpoints if each in surveys},
        {each: silent[each] for each in endpoints if each in silent},
    )


def _client(options: Shared, endpoint: str) -> Client:
    limit_s = min(SILENT_S, options.timeout_s)
    return Client([endpoint], token=options.token(), timeout_s=limit_s)


def _voter(survey: Survey, text: str) -> str:
    """The id that `text`, an id or its first letters, names; raises Failure."""
    found = [each for each in others(survey) if each.startswith(text.lower())]
    if len(found) != 1:
        raise Failure(f"{text!r} names {len(found)} of the other voters", EXIT_REFUSED)
    return found[0]


def _show(found: Found) -> None:
    """A row for each member, and what follows for who decides."""
    table = new_table(
        "peer endpoint", "member", "lineage", "last term", "last", "committed", "whole"
    )
    for endpoint, each in found.surveys.items():
        table.add_row(
            endpoint, each.member, each.lineage, str(each.last_term), str(each.last_offset),
            str(each.commit_offset), "yes" if each.whole else "no",
        )  # fmt: skip
    print_table(table)
    for endpoint, reason in found.silent.items():
        click.echo(f"{endpoint}: no answer: {reason}")
    for line in told(found):
        click.echo(line)


def told(found: Found) -> list[str]:
    """What may be lost, and the commands that follow. Pure."""
    back = "to lift the fences again: replog recover --cancel"
    if found.best is None:
        return ["no member that answers has a whole log of which it is a voter", back]
    best = found.best[1]
    known = max(each.commit_offset for each in found.surveys.values())
    answered = {each.member for each in found.surveys.values()}
    missing = [each for each in others(best) if each not in answered]
    lines = [f"{best.member} has the most, up to offset {best.last_offset}"]
    lines.append(f"known to be committed up to offset {known}; what is after it becomes committed")
    if missing:
        lines.append(
            f"no word from {', '.join(missing)}: what was acknowledged after offset"
            f" {best.last_offset} is lost, if there is any"
        )
    stopped = ",".join(others(best))
    lines.append("to let it go on alone, with all others stopped for good:")
    lines.append(f"    replog recover --stopped {stopped} --yes")
    return [*lines, back]
