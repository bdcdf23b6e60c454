"""Bills of materials as signed statements, and what a policy takes for one of an image."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci import canonical
from envfreeze.oci.platform import Platform
from envfreeze.records.sbom import cyclonedx, spdx
from envfreeze.records.sbom.model import Bill
from envfreeze.records.trust import bills
from envfreeze.records.trust.counted import Counted

IMAGE, LOCK, OTHER = (Digest.of(name) for name in (b"image", b"lock", b"other"))
WRITERS = {"cyclonedx": cyclonedx, "spdx": spdx}
FORMS = pytest.mark.parametrize("form", WRITERS)


def document(form, subject):
    bill = Bill(
        name="train",
        subject=subject,
        is_image=subject == IMAGE,
        platform=Platform.parse("linux/amd64"),
        at="2026-01-01T00:00:00Z",
        packages=(),
        facts={},
    )
    return WRITERS[form].write(bill)


def signed(form="cyclonedx", about=IMAGE, subject=IMAGE):
    return Counted(bills.of_image(document(form, subject), form, about), (), "it")


def required(*statements, wanted="any", refused=()):
    bills.required(statements, refused, IMAGE, LOCK, wanted)


@FORMS
def test_the_predicate_is_the_document(form):
    made = json.loads(signed(form).payload)
    assert made["predicate"] == json.loads(document(form, IMAGE))
    assert made["predicateType"] == bills.PREDICATES[form]
    assert made["subject"] == [{"digest": {"sha256": IMAGE.hex}}]
    assert signed(form).payload == signed(form).payload


@FORMS
def test_a_bill_of_the_image_or_of_its_lock_will_do(form):
    required(signed(form))
    required(signed(form), wanted=form)
    required(signed(form, subject=LOCK))
    required(Counted(b"noise", (), "noise"), signed(form, OTHER), signed(form))


@FORMS
def test_what_will_not_do_is_told(form):
    (another,) = WRITERS.keys() - {form}
    for statements, options, said in (
        ((), {}, "none is attached"),
        ((), {"refused": ("it: nobody has signed",)}, "nobody has signed"),
        ((signed(form),), {"wanted": another}, f"a bill in {form}"),
        ((signed(form, OTHER),), {}, f"a signed bill of another image: {OTHER}"),
        ((signed(form, subject=OTHER),), {}, f"the bill in it is of {OTHER}"),
    ):
        with pytest.raises(UntrustedError, match="the policy asks for a signed bill") as caught:
            required(*statements, **options)
        assert said in "\n".join((caught.value.message, *caught.value.details))


DESCRIBES = {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": []}


@pytest.mark.parametrize(
    "predicate",
    [
        None,
        [],
        {"metadata": [], "relationships": {}, "packages": [1, {}]},
        {
            "relationships": [DESCRIBES],
            "packages": [{"SPDXID": []}],
            "metadata": {"component": {"version": {}}},
        },
    ],
)
@FORMS
def test_a_document_that_says_nothing_of_itself_is_of_nothing(form, predicate):
    payload = json.loads(signed(form).payload) | {"predicate": predicate, "subject": [1, {"digest": 2}]}
    with pytest.raises(UntrustedError) as caught:
        required(Counted(canonical.dump(payload), (), "it"))
    assert len(caught.value.details) == 1


def test_the_older_statement_of_cosign_is_read():
    made = json.loads(signed().payload) | {"_type": "https://in-toto.io/Statement/v0.1"}
    required(Counted(canonical.dump(made), (), "it"))
    with pytest.raises(UntrustedError):
        required(Counted(canonical.dump(made | {"_type": "x"}), (), "it"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "component",
                    "hashes",
                    "packages",
                    "relationships",
                    "SPDXID",
                    "relatedSpdxElement",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@FORMS
@given(predicate=JSON, subject=JSON)
def test_any_statement_ends_in_an_answer(form, predicate, subject):
    payload = json.loads(signed(form).payload) | {"predicate": predicate, "subject": subject}
    try:
        bills.parse(canonical.dump(payload), "it")
    except UntrustedError:
        assert not isinstance(predicate, dict)


def test_a_bill_that_is_too_large_is_not_signed():
    large = canonical.dump({"x": "y" * (3 << 20)})
    with pytest.raises(UsageError, match="cannot be signed"):
        bills.of_image(large, "cyclonedx", IMAGE)


@pytest.mark.parametrize("kind", ['"x"', "null", "[]", "{}", '"\\ud800"'])
def test_a_statement_of_any_type_is_a_bill_or_is_none(kind):
    assert not bills.is_bill(b'{"predicateType":%s}' % kind.encode())
