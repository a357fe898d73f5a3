"""One builder a child object: a pure function from what is wanted to the whole object.

wanted.py is what all of them take, names.py how things are called.
"""
