"""Bases that are images of a registry: which manifest a reference is, and what is in it.

`pulled` asks the registry once and keeps the answer, `inventory` and `reading` say what the layers hold,
`system`, `dpkg` and `python` what that means, `lacking` which Python it lacks, `room` where there is room for
ours, `resolution` what has to be added and gives the values of the lock, and `table` writes them down.
"""
