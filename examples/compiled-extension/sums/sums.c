/* The sum of an array of doubles, added up in a fixed order: the same on every run. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
total(PyObject *self, PyObject *argument)
{
    Py_buffer view;
    double sum = 0.0, lost = 0.0;

    if (PyObject_GetBuffer(argument, &view, PyBUF_CONTIG_RO | PyBUF_FORMAT) < 0)
        return NULL;
    if (view.itemsize != sizeof(double) || strcmp(view.format, "d") != 0) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_TypeError, "an array of doubles is wanted");
        return NULL;
    }
    /* Kahan's summation keeps what a plain sum would lose. */
    for (Py_ssize_t i = 0; i < view.len / view.itemsize; i++) {
        double next = ((const double *)view.buf)[i] - lost;
        double together = sum + next;
        lost = (together - sum) - next;
        sum = together;
    }
    PyBuffer_Release(&view);
    return PyFloat_FromDouble(sum);
}

static PyMethodDef methods[] = {
    {"total", total, METH_O, "The sum of an array of doubles."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "sums", NULL, -1, methods};

PyMODINIT_FUNC
PyInit_sums(void)
{
    return PyModule_Create(&module);
}
