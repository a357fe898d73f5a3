"""The operator's process with a pass that only leaves a mark: who acted, and how often.

What the lease, the fence, the watches and the end of the process do is shown with it, whatever the
passes of the day are. MARK_EVERY_S: a pass comes again so soon; without it only when asked for.
"""

import os
from typing import Any

import click

from replog_operator.kube.command import ran
from replog_operator.kube.kinds import CONFIG_MAP, LOG
from replog_operator.kube.process import Tools
from replog_operator.kube.settings import OperatorSettings, options
from replog_operator.kube.workers import Pass
from replog_operator.kube.workqueue import RESYNC_S, Key


def marking(tools: Tools) -> Pass:
    """A pass that writes `mark-POD` beside the log."""
    every_s = float(os.environ.get("MARK_EVERY_S", RESYNC_S))
    counts: dict[Key, int] = {}

    async def mark(key: Key) -> float | None:
        if await tools.reads.get(LOG, key.namespace, key.name) is None:
            return None
        counts[key] = counts.get(key, 0) + 1
        data = {"passes": str(counts[key]), "number": str(tools.fence.check().number)}
        name = f"mark-{tools.settings.pod_name}"
        await tools.writes.apply(
            CONFIG_MAP,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"namespace": key.namespace, "name": name},
                "data": data,
            },
        )
        return every_s

    return mark


@click.command()
@options
def main(**given: Any) -> None:
    """Run it."""
    raise SystemExit(ran(OperatorSettings(**given), marking))


if __name__ == "__main__":
    main()
