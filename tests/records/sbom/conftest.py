"""A lock with something of every side, and judges of what is written."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.locking.model import (
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    CondaPackage,
    Deb,
    GpuFacts,
    Lock,
    Runtime,
    Target,
    Wheel,
)
from envfreeze.oci.platform import Platform


def digest(text):
    return Digest.of(text.encode())


@pytest.fixture
def target():
    debs = (
        Deb(
            "libc6", "2.41-12", "amd64", "pool/main/g/glibc/libc6_2.41-12_amd64.deb",
            digest("libc6"), 1, "debian",
        ),
        Deb(
            "libstdc++6", "14.2.0-19", "amd64", "pool/main/g/gcc-14/libstdc++6_14.2.0-19_amd64.deb",
            digest("libstdc++6"), 1, "debian", requested=True, depends=("libc6",),
        ),
    )  # fmt: skip
    cublas = Wheel(
        "nvidia-cublas-cu12", "12.8.4.1", "nvidia_cublas_cu12-12.8.4.1-py3-none-manylinux_2_27_x86_64.whl",
        digest("cublas"), 3, "https://files.example.org/cublas.whl",
    )  # fmt: skip
    torch = Wheel(
        "torch", "2.8.0+cu128", "torch-2.8.0+cu128-cp313-cp313-manylinux_2_28_x86_64.whl", digest("torch"), 3,
        "https://files.example.org/torch.whl", requested=True, dependencies=("nvidia-cublas-cu12",),
    )  # fmt: skip
    conda = CondaPackage(
        name="numpy", version="2.3.0", build="py313_0", build_number=0, subdir="linux-64",
        channel="https://conda.example.org/conda-forge", filename="numpy-2.3.0-py313_0.conda",
        digest=digest("numpy"), md5=None, size=1,
        url="https://conda.example.org/conda-forge/linux-64/numpy-2.3.0-py313_0.conda",
    )  # fmt: skip
    return Target(
        platform=Platform.parse("linux/amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=AptBase(
            "apt:debian/trixie",
            (Archive("debian", ("http://mirror.example.org/debian", "http://snapshot.example.org/1/")),),
            (AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", digest("index")),),
            debs,
        ),
        wheels=(cublas, torch),
        conda=(conda,),
        gpu=GpuFacts("12.8", None, None, None, (), digest("tables"), (), {}),
    )


@pytest.fixture
def lock(target):
    return Lock(SCHEMA, WRITER, {}, None, Runtime({}, {}, (), None, "/work", None, None), (target,))


@pytest.fixture(scope="session")
def judged():
    """`judged(document)`: what the formats' own tools say against a document; nothing is right."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    strict = JsonStrictValidator(SchemaVersion.V1_6)

    def judge(document):
        read = json.loads(document)
        if "bomFormat" in read:
            found = strict.validate_str(document.decode())
            purls = [one["purl"] for one in read["components"]]
            problems = [] if found is None else [str(found)]
        else:
            parsed = JsonLikeDictParser().parse(read)
            problems = [one.validation_message for one in validate_full_spdx_document(parsed)]
            purls = [
                reference["referenceLocator"]
                for package in read["packages"]
                for reference in package.get("externalRefs", ())
            ]
        problems += [purl for purl in purls if PackageURL.from_string(purl).to_string() != purl]
        return problems

    return judge
