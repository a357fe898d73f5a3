"""One test per statement of the Raft paper (Ongaro and Ousterhout, extended version).

Each test's docstring names the statement.
Read next: test_figure_2_servers.py, ../unit/raft/cluster.py.
"""
