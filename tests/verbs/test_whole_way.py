"""From nothing to a verified image, as a user types it."""


def test_init_lock_build_verify(small_project):
    work = small_project()
    (work.root / "envfreeze.toml").rename(work.root / "kept.toml")
    assert work.run("init").code == 0
    (work.root / "kept.toml").rename(work.root / "envfreeze.toml")
    locked = work.run("lock")
    assert (locked.code, locked.stdout) == (0, "locked\n"), locked.stderr
    built = work.run("build")
    assert work.built() == built.digest
    verified = work.run("verify", str(built.digest))
    assert (verified.code, verified.stdout) == (0, "identical\n"), verified.stderr
    assert str(built.digest) in work.run("log").stdout
    assert not work.leftovers()
