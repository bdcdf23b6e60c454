"""Pythons of python-build-standalone: builds of CPython that run on any glibc of 2.17 and later.

`builds` knows which there are, `choice` which of them a project gets, `places` where it is fetched from,
`resolution` makes that a value of the lock, and `table` writes it down. Nothing is imported here: who reads a
lock needs the table alone.
"""
