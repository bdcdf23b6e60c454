"""A user's template, and what is told of a wrong one."""

from __future__ import annotations

import pytest

from envfreeze.errors import UsageError

EXTENDS = '{% extends "envfreeze/Dockerfile.j2" %}\n'


@pytest.fixture
def refused(kit):
    """What is said of a template."""

    def write(text, **files):
        for name, content in files.items():
            (kit.root / name).write_text(content)
        (kit.root / "mine.j2").write_text(text)
        with pytest.raises(UsageError) as caught:
            kit.write(kit.lock(kit.target()), '[docker]\ntemplate = "mine.j2"\n')
        assert not (kit.root.parent / "out").exists()
        return caught.value

    return write


def test_a_block_that_is_none_is_named_with_its_line(refused):
    error = refused(EXTENDS + "\n{% block aftr %}{% endblock %}")
    assert error.message == "mine.j2:3: there is no block 'aftr'"
    assert error.hint == "did you mean 'after'?"


def test_a_block_far_from_any_gets_them_all(refused):
    error = refused(EXTENDS + "{% block zzzzzz %}{% endblock %}")
    assert "there are after, base, before" in error.hint


def test_wrong_syntax_is_told_with_its_line(refused):
    error = refused(EXTENDS + "{% block after %}\n{% if %}\n{% endblock %}")
    assert error.message.startswith("mine.j2:3: ")


def test_an_unknown_variable_is_told_with_its_line(refused):
    error = refused(EXTENDS + "{% block after %}\n\nRUN {{ colour }}\n{% endblock %}")
    assert error.message == "mine.j2:4: 'colour' is undefined"


def test_an_unknown_attribute_is_told_with_its_line(refused):
    error = refused(EXTENDS + "{% block after %}\nRUN {{ part.wheel.colour }}\n{% endblock %}")
    assert error.message.startswith("mine.j2:3: ")


def test_what_an_expression_raises_is_told_with_its_line(refused):
    error = refused(EXTENDS + "{% block after %}\nRUN {{ 1 / 0 }}\n{% endblock %}")
    assert error.message == "mine.j2:3: division by zero"


def test_python_s_insides_are_out_of_reach(refused):
    error = refused(EXTENDS + "{% block after %}\n{{ ''.__class__.__mro__ }}\n{% endblock %}")
    assert error.message.startswith("mine.j2:3: ")
    assert "unsafe" in error.message


def test_a_template_has_to_extend_ours(refused):
    error = refused("FROM scratch\n")
    assert error.message == "mine.j2:1: the template does not extend envfreeze's"
    assert '{% extends "envfreeze/Dockerfile.j2" %}' in error.hint


def test_an_included_file_is_the_project_s(refused):
    assert (
        "there is no ../secret"
        in refused(EXTENDS + '{% block after %}{% include "../secret" %}{% endblock %}').message
    )


def test_an_error_in_an_included_file_names_that_file(refused):
    error = refused(
        EXTENDS + '{% block after %}{% include "part.j2" %}{% endblock %}', **{"part.j2": "\n{{ x }}"}
    )
    assert error.message == "part.j2:2: 'x' is undefined"


def test_a_template_that_is_not_there_is_a_wrong_configuration(kit):
    with pytest.raises(UsageError, match=r"envfreeze\.toml: docker\.template"):
        kit.write(kit.lock(kit.target()), '[docker]\ntemplate = "missing.j2"\n')


def test_an_image_of_the_user_s_needs_a_digest(refused):
    error = refused(EXTENDS + "{% block after %}\nCOPY --from=busybox:1 /bin/sh /sh\n{% endblock %}")
    assert "takes the image busybox:1 without a digest" in error.message
    assert "busybox:1@sha256:" in error.hint


@pytest.mark.parametrize("key", ["before", "after"])
def test_a_step_of_the_user_s_is_held_to_that_too(kit, key):
    step = '"RUN --mount=type=bind,from=alpine,target=/x true"'
    with pytest.raises(UsageError, match="takes the image alpine without a digest"):
        kit.write(kit.lock(kit.target()), f"[docker]\n{key} = [{step}]\n")


def test_a_step_cannot_begin_a_stage(kit):
    with pytest.raises(UsageError, match=r"docker\.before\[0\] must be an instruction of a Dockerfile"):
        kit.write(kit.lock(kit.target()), '[docker]\nbefore = ["from scratch"]\n')


def test_a_step_may_use_a_stage(kit):
    text = kit.text(kit.lock(kit.target()), '[docker]\nafter = ["COPY --from=python /opt/venv /copy"]\n')
    assert "COPY --from=python /opt/venv /copy\n" in text
