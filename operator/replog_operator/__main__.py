"""`python -m replog_operator`: the operator's process, as `replog-operator`."""

from replog_operator.kube.command import main

if __name__ == "__main__":
    main()
