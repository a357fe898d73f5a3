"""`make bench`: this log beside etcd, NATS and Kafka, three members each, on this machine.

Not collected by pytest: the figures say something only when nothing else runs, and only as ratios
within one run. docs/performance.md holds the last table.

Read next: __main__.py, parts.py, report.py.
"""
