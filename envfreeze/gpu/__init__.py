"""CUDA facts and the rules over them: pure functions over data files, plus the probe of the host's driver.

`model` has the values, `tables` the facts, `derivation` reads a stack's CUDA from its packages, `judgement`
holds it against a machine, `requirement` evaluates what an image demands of its host. Nothing here resolves,
downloads or knows of lock files; only `host` looks at the machine.
"""
