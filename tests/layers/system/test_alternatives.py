"""Alternatives as update-alternatives itself would leave them."""

from __future__ import annotations

import shutil
import subprocess

POSTINSTS = {
    "mawk": "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n"
    "  --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\\n"
    "  --slave /usr/bin/nawk nawk /usr/bin/mawk\n",
    "gawk": "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 \\\n"
    "  --slave /usr/bin/nawk nawk /usr/bin/gawk\n",
    "vim": "for i in vi ex; do update-alternatives --install /usr/bin/$i $i /usr/bin/vim.tiny 15 \\\n"
    " --slave /usr/share/man/man1/$i.1.gz $i.1.gz /usr/share/man/man1/vim.1.gz; done\n",
    "gone": "update-alternatives --install /usr/bin/gone gone /usr/bin/not-there 5\n",
    "computed": "update-alternatives --install /usr/bin/x x $(which x) 5\n",
}
FILES = {
    "mawk": ["./usr/bin/mawk", "./usr/share/man/man1/mawk.1.gz"],
    "gawk": ["./usr/bin/gawk"],
    "vim": ["./bin/vim.tiny"],
    "gone": [],
    "computed": ["./usr/bin/x-real"],
}


def packages_of(kit):
    return {
        name: {
            "members": [kit.Member(file, b"x", mode=0o755) for file in FILES[name]],
            "control": {"postinst": "#!/bin/sh\nset -e\n" + script},
        }
        for name, script in POSTINSTS.items()
    }


def test_the_highest_priority_wins_with_its_followers(system, kit):
    tree = system(**packages_of(kit))
    assert tree.link("usr/bin/awk") == "/etc/alternatives/awk"
    assert tree.link("etc/alternatives/awk") == "/usr/bin/gawk"
    assert tree.link("etc/alternatives/nawk") == "/usr/bin/gawk"
    assert "etc/alternatives/awk.1.gz" not in tree  # gawk has no such follower
    assert tree.link("usr/bin/ex") == "/etc/alternatives/ex"
    assert "usr/bin/gone" not in tree


def test_a_file_of_a_package_is_not_replaced_by_a_link(system, kit):
    tree = system(**packages_of(kit), real=[kit.Member("./usr/bin/awk", b"x")])
    assert "usr/bin/awk" not in tree


def test_update_alternatives_leaves_the_same(system, kit, tmp_path, need):
    need("dpkg", shutil.which("update-alternatives") is not None, "no update-alternatives on this machine")
    tree = system(**packages_of(kit))
    root = tmp_path / "root"
    for folder in (
        "var/lib/dpkg/alternatives",
        "etc/alternatives",
        "usr/share/man/man1",
        "usr/bin",
        "var/log",
    ):
        (root / folder).mkdir(parents=True)
    for package in tree.packages:
        for entry in package.entries:
            if entry.path.startswith("usr/"):
                (root / entry.path).write_bytes(b"x")
    script = "".join(POSTINSTS[name] for name in ("gawk", "mawk", "vim"))
    tool = f"update-alternatives --root {root} --log /dev/null --quiet"
    subprocess.run(
        ["sh", "-ec", script.replace("update-alternatives", tool)], check=True, capture_output=True
    )
    admin = {file.name: file.read_text() for file in (root / "var/lib/dpkg/alternatives").iterdir()}
    assert {name: tree.text(f"var/lib/dpkg/alternatives/{name}") for name in admin} == admin
    links = {
        str(path.relative_to(root)): str(path.readlink()) for path in root.rglob("*") if path.is_symlink()
    }
    made = {
        path: entry.link
        for path, entry in tree.items()
        if entry.link and path.startswith(("etc/alt", "usr/"))
    }
    assert made == links
