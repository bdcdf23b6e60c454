"""What Debian's Python packages make in their scripts."""

from __future__ import annotations


def test_each_python_gets_its_local_folders_and_its_mark(system):
    tree = system(python3_13_minimal={})
    assert "usr/local/lib/python3.13/dist-packages" not in tree
    tree = system(**{"python3.13_minimal": []})
    assert "usr/local/lib/python3.13/dist-packages" in tree
    assert "var/lib/python/python3.13_installed" in tree


def test_debian_s_configuration_comes_with_python3(system, kit):
    assert "byte-compile = standard" in system(python3=[]).text("etc/python3/debian_config")
    own = [kit.Member("./etc/python3/debian_config", b"x")]
    assert "etc/python3/debian_config" not in system(python3={"members": own, "version": "2"})
