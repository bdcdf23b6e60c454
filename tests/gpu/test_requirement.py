"""NVIDIA_REQUIRE_*: the grammar, every image of NVIDIA's, and the expression of an image of ours."""

from __future__ import annotations

import operator
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envfreeze.gpu.driver import compat_package, reach
from envfreeze.gpu.fleet import gpu_of
from envfreeze.gpu.model import RUNS, Base, Gpu, Machine, Stack, Version
from envfreeze.gpu.requirement import demands, evaluate, expression, listed, parse
from envfreeze.gpu.tables import load
from envfreeze.gpu.variables import environment
from envfreeze.replacing import replace

TABLES = load()
BRANDS = sorted({brand for row in TABLES.demands for brands in row.branches.values() for brand in brands})
COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def on(driver=None, brand=None, arch=None, cuda=None):
    gpu = None if brand is None and arch is None else Gpu("a GPU", arch and Version.parse(arch), None, brand)
    return Machine(driver and Version.parse(driver), gpu, cuda and Version.parse(cuda))


def holds(text, machine):
    return evaluate({"NVIDIA_REQUIRE_CUDA": text}, machine, TABLES).holds


@pytest.mark.parametrize("row", TABLES.demands, ids=lambda row: f"{row.cuda} {row.os[0]}")
def test_an_image_of_nvidia_s_starts_where_its_row_says_and_nowhere_else(row):
    made_for = next(
        (item.driver for item in reversed(TABLES.toolkits) if item.cuda.minor == row.cuda.minor), None
    )
    assert made_for is not None
    assert holds(row.text, Machine(made_for, Gpu("x", None, None, "geforce"))) is True
    branches = {item.branch for item in TABLES.toolkits} | {555, 565, 575} | set(row.branches)
    for branch in sorted(branch for branch in branches if branch < made_for.major):
        for brand in ("tesla", "nvidia", "geforce", "vws"):
            expected = brand in row.branches.get(branch, ())
            assert holds(row.text, on(f"{branch}.20.01", brand)) is expected, (branch, brand)


def test_12_9_1_starts_on_five_branches_and_not_on_555():
    # gpu-rules R6
    (row,) = (row for row in TABLES.demands if str(row.cuda) == "12.9.1")
    for branch in ("535", "550", "560", "565", "570"):
        assert holds(row.text, on(f"{branch}.54", "nvidia")) is True
    assert holds(row.text, on("555.42.06", "nvidia")) is False
    assert holds(row.text, on("570.54", "geforce")) is False
    assert holds(row.text, on("575.51.03", "geforce")) is True


def test_a_space_is_or_and_a_comma_is_and():
    assert holds("driver>=600 driver>=500", on("550.1")) is True
    assert holds("driver>=600,driver>=500", on("550.1")) is False
    assert holds("cuda>=12.0,arch>=8.0", on("550.54.14", arch="8.6")) is True


def test_all_variables_have_to_hold():
    env = {"NVIDIA_REQUIRE_CUDA": "cuda>=12.4", "NVIDIA_REQUIRE_DRIVER": "driver>=600"}
    found = evaluate(env, on("550.54.14"), TABLES)
    assert found.holds is False
    assert len(found.unmet) == 1
    assert "NVIDIA_REQUIRE_DRIVER" in found.unmet[0]
    assert found.met == ("NVIDIA_REQUIRE_CUDA demands cuda>=12.4, and driver 550.54.14, CUDA 12.4 has it",)


@pytest.mark.parametrize("value", ["1", "t", "true", "TRUE"])
def test_an_image_can_switch_requirements_off(value):
    env = {"NVIDIA_REQUIRE_CUDA": "cuda>=13.0", "NVIDIA_DISABLE_REQUIRE": value}
    assert demands(env) == {}
    assert evaluate(env, on("410.48"), TABLES).holds is True


@pytest.mark.parametrize("value", ["", "0", "false", "yes"])
def test_other_words_do_not_switch_them_off(value):
    env = {"NVIDIA_REQUIRE_CUDA": "cuda>=13.0", "NVIDIA_DISABLE_REQUIRE": value}
    assert evaluate(env, on("410.48"), TABLES).holds is False


def test_jetpack_is_not_a_requirement():
    env = {"NVIDIA_REQUIRE_JETPACK": "csv-mounts=all", "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS": "base-only"}
    assert demands(env) == {}


def test_an_image_of_the_old_form_demands_its_cuda():
    assert demands({"CUDA_VERSION": "12.4.1"}) == {"NVIDIA_REQUIRE_CUDA": "cuda>=12.4"}
    assert demands({"CUDA_VERSION": "12.4.1", "NVIDIA_REQUIRE_CUDA": "cuda>=11.0"}) == {
        "NVIDIA_REQUIRE_CUDA": "cuda>=11.0"
    }
    assert demands({"CUDA_VERSION": "none"}) == {}


def test_an_empty_requirement_holds():
    assert holds("", on("410.48")) is True


def test_brands_are_compared_without_case():
    assert holds("brand=TESLA", on(brand="tesla")) is True
    assert holds("brand!=Tesla", on(brand="nvidia")) is True


def test_what_is_not_known_of_a_machine_leaves_it_open():
    assert holds("driver>=535", on()) is None
    assert holds("brand=tesla driver>=535", on("550.1")) is True
    assert holds("brand=tesla,driver>=600", on("550.1")) is False
    found = evaluate({"NVIDIA_REQUIRE_CUDA": "brand=tesla"}, on("550.1"), TABLES)
    assert (found.holds, len(found.open)) == (None, 1)


def test_a_driver_newer_than_the_tables_supports_all_that_they_know_and_perhaps_more():
    assert holds("cuda>=13.4", on("700.10")) is True
    assert holds("cuda>=13.9", on("700.10")) is None
    assert holds("cuda>=13.9", on("700.10", cuda="13.8")) is False


def test_every_alternative_of_what_is_unmet_is_listed():
    (row,) = (row for row in TABLES.demands if str(row.cuda) == "12.9.1")
    found = evaluate({"NVIDIA_REQUIRE_CUDA": row.text}, on("555.42.06", "nvidia"), TABLES)
    (text,) = found.unmet
    assert "cuda>=12.9" in text
    for branch in row.branches:
        assert f"driver>={branch},driver<{branch + 1}" in text
    for brand in BRANDS:
        assert (brand in text) is (brand in row.branches[535] or brand == "nvidia")


@pytest.mark.parametrize(
    "text",
    ["cuda", "cuda>12.x", "gpu>=1", "brand>=tesla", "cuda>=12.0,", "cuda=>12", "cuda >= 12", "driver>=535;"],
)
def test_what_is_malformed_does_not_start(text):
    with pytest.raises(ValueError, match=r"."):
        parse(text)
    found = evaluate({"NVIDIA_REQUIRE_X": text}, on("700.1"), TABLES)
    assert found.holds is False
    assert "malformed" in found.unmet[0]


VERSIONS = st.lists(st.integers(0, 700), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
ATOMS = st.one_of(
    st.tuples(st.sampled_from(["cuda", "driver", "arch"]), st.sampled_from(sorted(COMPARE)), VERSIONS),
    st.tuples(st.just("brand"), st.sampled_from(["=", "!="]), st.sampled_from(BRANDS)),
)
TERMS = st.lists(st.lists(ATOMS, min_size=1, max_size=3), min_size=1, max_size=4)
MACHINES = st.fixed_dictionaries(
    {"driver": VERSIONS, "cuda": VERSIONS, "arch": VERSIONS, "brand": st.sampled_from(BRANDS)}
)


def padded(text):
    return [*map(int, text.split(".")), 0, 0, 0][:3]


@settings(deadline=None)
@given(TERMS, MACHINES)
def test_a_requirement_means_what_a_second_evaluation_says(terms, has):
    text = " ".join(",".join("".join(atom) for atom in term) for term in terms)
    machine = on(has["driver"], has["brand"], has["arch"], has["cuda"])
    values = {**has, "cuda": ".".join([*has["cuda"].split("."), "0"][:2])}

    def true(name, sign, wanted):
        if name == "brand":
            return COMPARE[sign](has["brand"], wanted)
        return COMPARE[sign](padded(values[name]), padded(wanted))

    assert holds(text, machine) is any(all(true(*atom) for atom in term) for term in terms)


@settings(deadline=None)
@given(TERMS)
def test_parsing_and_writing_is_the_same_text(terms):
    text = " ".join(",".join("".join(atom) for atom in term) for term in terms)
    assert " ".join(",".join(map(str, term)) for term in parse(text)) == text
    for atom in (atom for term in parse(text) for atom in term):
        assert atom.value in listed(parse(text))


@settings(deadline=None)
@given(st.text(alphabet=string.ascii_lowercase + string.digits + " ,.<>=!|" + "\n\x00é"))
def test_any_text_is_answered_and_never_a_traceback(text):
    found = evaluate({"NVIDIA_REQUIRE_CUDA": text}, on("550.54.15", "tesla", "8.0"), TABLES)
    assert found.holds in (True, False, None)


DRIVERS = sorted({str(row.driver) for row in (*TABLES.toolkits, *TABLES.minor_compat.values())})
STACKS = [
    Stack(row.cuda.minor, toolkit=toolkit) for row in TABLES.toolkits for toolkit in (row.cuda, None)
] + [Stack(Version(parts)) for parts in ((12, 7), (13, 5), (14, 0))]


@example(Stack(Version((13, 3))), "580.0.0", "V100")  # older than the floor, in a branch of the table
@settings(deadline=None)
@given(
    st.sampled_from(STACKS),
    st.one_of(
        st.sampled_from(DRIVERS),
        st.tuples(st.integers(380, 640), st.integers(0, 130), st.integers(0, 20)).map(
            lambda parts: ".".join(map(str, parts))
        ),
        st.tuples(st.sampled_from(DRIVERS), st.integers(0, 30)).map(
            lambda item: ".".join([*item[0].split(".")[:2], str(item[1])])
        ),
    ),
    st.sampled_from([row.name for row in TABLES.products if row.kind != "jetson"]),
)
def test_our_own_requirement_accepts_exactly_the_machines_that_r5_accepts(stack, driver, gpu):
    machine = Machine(Version.parse(driver), gpu_of(gpu, tables=TABLES))
    found = reach(stack.cuda, stack.toolkit, machine, TABLES)
    carrying = replace(stack, compat=compat_package(stack.cuda))
    assert (evaluate(environment(carrying, TABLES), machine, TABLES).holds is True) is (found.word in RUNS), (
        found
    )
    # Without the package a container would start and fail inside.
    runs = found.word in RUNS - {"forward-compat"}
    assert (evaluate(environment(stack, TABLES), machine, TABLES).holds is True) is runs, found


@settings(deadline=None)
@given(st.text(), st.sampled_from(["NVIDIA_REQUIRE_CUDA", "NVIDIA_REQUIRE_X", "CUDA_VERSION"]))
def test_what_an_image_demands_cannot_command_a_terminal(text, name):
    env = Base.read("base", {name: text}).env
    found = evaluate(env, on("550.54.15", "tesla", "8.0"), TABLES)
    assert all(said.isprintable() for said in (*found.unmet, *found.open, *found.met))


def test_an_endless_requirement_is_answered_at_once():
    found = evaluate({"NVIDIA_REQUIRE_CUDA": "driver>=" + "9" * 100_000}, on("550.54.15"), TABLES)
    assert found.holds is False
    assert len(found.unmet[0]) < 300
    found = evaluate({"NVIDIA_REQUIRE_CUDA": "brand=x,driver>=900 " * 50_000}, on("550.54.15"), TABLES)
    assert found.holds is False
    assert len(found.unmet[0]) < 300


def test_our_own_requirement_of_a_stack():
    assert expression(Stack(Version((12, 4)), toolkit=Version((12, 4, 1))), TABLES) == (
        "cuda>=12.4 driver>=525.60.13"
    )
    assert expression(Stack(Version((13, 0))), TABLES) == "cuda>=13.0 driver>=580.65.06"
    assert expression(Stack(Version((13, 0)), compat="cuda-compat-13-0"), TABLES) == (
        "cuda>=13.0 driver>=580.65.06"
        " brand=nvidia,driver>=535,driver<536 brand=tesla,driver>=535,driver<536"
        " brand=nvidia,driver>=570,driver<571 brand=tesla,driver>=570,driver<571"
    )
    assert expression(Stack(Version((14, 0))), TABLES) == "cuda>=14.0"
    assert expression(Stack(None), TABLES) == ""


def test_the_variables_of_an_image():
    assert environment(Stack(None)) == {}
    assert environment(Stack(Version((12, 4)))) == {
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 driver>=525.60.13",
        "NVIDIA_VISIBLE_DEVICES": "all",
    }
