"""Real members in a network of their own, tortured while clients work; then everything is counted.

Read next: __main__.py.
"""
