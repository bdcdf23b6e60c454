"""What a GPU image needs beyond its wheels: a compiler, for packages that compile while they run."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.network

# What Triton does for every kernel (triton, python/triton/runtime/build.py): a C file with Python.h in it is
# compiled with the gcc on PATH against the headers that sysconfig names, and loaded.
COMPILES = r"""
import importlib.util, pathlib, shutil, subprocess, sysconfig, tempfile
SOURCE = '''
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "launcher", 0, -1, methods};
PyMODINIT_FUNC PyInit_launcher(void) { return PyModule_Create(&module); }
'''
with tempfile.TemporaryDirectory() as folder:
    source, made = pathlib.Path(folder, "launcher.c"), pathlib.Path(folder, "launcher.so")
    source.write_text(SOURCE)
    compiler = shutil.which("gcc")
    include = sysconfig.get_paths()["include"]
    subprocess.run([compiler, source, "-O3", "-shared", "-fPIC", "-o", made, f"-I{include}"], check=True)
    spec = importlib.util.spec_from_file_location("launcher", made)
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    print(launcher.answer())
"""


@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_a_c_extension_compiles_and_loads_inside(suite, freeze, unpack, tmp_path):
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "envfreeze.toml").write_text(
        f'[image]\nbase = "apt:debian/{suite}"\n\n[gpu]\ndriver = "580.95.05"\ncompile = true\n'
    )
    tree = unpack(freeze(tmp_path).image)
    assert tree("python", "-c", COMPILES) == "42\n"
