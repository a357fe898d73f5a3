"""`kubectl rlog`: the group of its commands.

Decides: which there are. Must not know: what they do.
Read next: sight.py, plan_command.py, tasks.py, diagnostics.py, reach.py.
"""

import click

from replog.cli.group import HELP, ToldGroup
from replog_operator.plugin.diagnostics import diagnostics
from replog_operator.plugin.plan_command import plan_command
from replog_operator.plugin.recovery import recover, survey, unfence
from replog_operator.plugin.sight import members, status, why
from replog_operator.plugin.tasks import snapshot, transfer


class Plugin(ToldGroup):
    """As people call it."""

    program = "kubectl rlog"


@click.group(cls=Plugin, context_settings=HELP)
@click.version_option(package_name="replicated-log", message="kubectl rlog %(version)s")
def main() -> None:
    """See to a ReplicatedLog on Kubernetes, with your own rights."""


for command in (
    status, members, why, plan_command, transfer, snapshot, survey, recover, unfence, diagnostics,
):  # fmt: skip
    main.add_command(command)
main.add_command(survey, "fence")
