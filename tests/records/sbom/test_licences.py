"""What packages say of their licences, as SPDX says it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from envfreeze.records.sbom import licences
from envfreeze.records.sbom.model import UNKNOWN, Licence


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mit", Licence("MIT")),
        ("Apache 2.0", Licence("Apache-2.0")),
        ("apache-2.0 or bsd-3-clause", Licence("Apache-2.0 OR BSD-3-Clause")),
        ("GPL-2.0-or-later WITH GCC-exception-3.1", Licence("GPL-2.0-or-later WITH GCC-exception-3.1")),
        ("NVIDIA  Proprietary\nSoftware", Licence(names=("NVIDIA Proprietary Software",))),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("UNKNOWN", UNKNOWN),
        ("Permission is hereby granted, free of charge, " * 20, UNKNOWN),
    ],
)
def test_one_field(said, expected):
    assert licences.stated(said) == expected


@pytest.mark.parametrize(
    ("expression", "field", "classifiers", "expected"),
    [
        ("MIT", "BSD", ["License :: OSI Approved :: Apache Software License"], Licence("MIT")),
        (None, "MIT", [], Licence("MIT")),
        (None, None, ["License :: OSI Approved :: MIT License"], Licence("MIT")),
        (
            None,
            None,
            ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: ISC License (ISCL)"],
            Licence("ISC AND MIT"),
        ),
        (None, "BSD", ["License :: OSI Approved :: BSD License"], Licence(names=("BSD", "BSD License"))),
        (None, None, ["Programming Language :: Python"], UNKNOWN),
        (None, "MIT License", ["License :: OSI Approved"], Licence("MIT")),
    ],
)
def test_python_metadata(expression, field, classifiers, expected):
    assert licences.of_metadata(expression, field, classifiers) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], None),
        (["Expat"], "MIT"),
        (["GPL-2+", "GPL-2+"], "GPL-2.0-or-later"),
        (["LGPL-2.1", "GPL-3+"], "GPL-3.0-or-later AND LGPL-2.1-only"),
        (["GPL-1+ or Artistic"], "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        (["GPL-2+ or Expat", "Zlib"], "(GPL-2.0-or-later OR MIT) AND Zlib"),
        (["GPL-3+ and ISC", "ISC"], "GPL-3.0-or-later AND ISC"),
        (["BSD-3-clause or GPL-2, and Expat"], "((BSD-3-Clause OR GPL-2.0-only) AND MIT)"),
        (["public-domain"], "LicenseRef-debian-public-domain"),
        (["GFDL-NIV-1.3+"], "GFDL-1.3-no-invariants-or-later"),
        (["GPL-3+ with Bison exception"], "LicenseRef-debian-GPL-3-with-Bison-exception"),
    ],
)
def test_debian_copyright(names, expected):
    found = licences.of_debian(names).expression
    assert (found or "").strip("()") == (expected or "").strip("()")


@given(st.lists(st.text(max_size=30), max_size=4))
def test_whatever_debian_says_is_an_expression(names):
    found = licences.of_debian([" ".join(name.split()) for name in names])
    if found.expression is not None:
        assert canonicalize_license_expression(found.expression) == found.expression
    assert found.expression or not any(name.strip() for name in names) or found.names
