"""A whole cluster in one thread and no time: real core, driver, admission, state and storage.

Read next: world.py.
"""
