"""The extension; what it is is in pyproject.toml."""

from setuptools import Extension, setup

setup(ext_modules=[Extension("sums", ["sums.c"])])
