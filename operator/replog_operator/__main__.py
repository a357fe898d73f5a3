"""`python -m replog_operator`: the operator's process, as `replog-operator`.

Decides: nothing. Must not know: anything but command.py. Read next: kube/command.py.
"""

from replog_operator.kube.command import main

if __name__ == "__main__":
    main()
