"""What each key accepts, and what is said about everything else."""

from __future__ import annotations

import pytest

from envfreeze.oci.platform import Platform


def message(configured, text):
    error = configured(text).refused()
    return error.message, error.hint


@pytest.mark.parametrize(
    ("text", "expected", "hint"),
    [
        ("[image]\npakages = []\n", "unknown key image.pakages", "did you mean image.packages?"),
        ("[image]\nPython = '3.13'\n", "unknown key image.Python", "did you mean image.python?"),
        ("[pip]\nindex_url = 'x'\n", "unknown key pip.index_url", "did you mean pip.index-url?"),
        ("[imge]\n", "unknown key imge", "did you mean image?"),
        ("python = '3.13'\n", "unknown key python", "did you mean python in [image]?"),
        ("[pip]\nworkdir = '/x'\n", "unknown key pip.workdir", "did you mean workdir in [image]?"),
        (
            "[image]\ncomponents = ['main']\n",
            "unknown key image.components",
            "did you mean components in [[apt]]?",
        ),
        (
            "[[apt]]\nurl = 'https://example.org'\nsuite = 'x'\nkey = 'requirements.txt'\nkye = ''\n",
            "unknown key apt[0].kye",
            "did you mean apt.key?",
        ),
        (
            "[data]\ntrain = 'x.csv'\n",
            "unknown key data",
            (
                "the tables that this version of envfreeze knows: image, apt, conda, pip, gpu, entropy, "
                "record, registry, docker, bake"
            ),
        ),
        (
            "[pip]\nallow-sdists = ['x']\n",
            "unknown key pip.allow-sdists",
            "did you mean pip.allow-sdist?",
        ),
        ("[image]\n'a b' = 1\n", 'unknown key image."a b"', None),
        ("data = 1\n", "unknown key data", None),
    ],
)
def test_an_unknown_key_names_the_nearest(configured, text, expected, hint):
    said, advice = message(configured, text)
    assert said == f"envfreeze.toml: {expected}"
    assert hint is None or advice == hint


def test_in_pyproject_the_whole_key_is_named(folder):
    folder.write("requirements.txt")
    folder.write("pyproject.toml", "[tool.envfreeze.image]\npakages = []\n")
    error = folder.refused()
    assert error.message == "pyproject.toml: unknown key tool.envfreeze.image.pakages"
    assert error.hint == "did you mean tool.envfreeze.image.packages?"
    folder.write("pyproject.toml", "[tool.envfreeze.pip]\nworkdir = '/x'\n")
    assert folder.refused().hint == "did you mean workdir in [tool.envfreeze.image]?"


@pytest.mark.parametrize(
    ("text", "expected", "hint"),
    [
        (
            "[image]\npython = 3.13\n",
            "image.python must be a string, not a number",
            'put it in quotes, for example: python = "3.13"',
        ),
        (
            "[image]\nuser = 1000\n",
            "image.user must be a string, not an integer",
            'put it in quotes, for example: user = "1000:1000"',
        ),
        (
            "[image]\nenv = { N = 8 }\n",
            "image.env.N must be a string, not an integer",
            'put it in quotes, for example: env = { OMP_NUM_THREADS = "8" }',
        ),
        (
            "[image]\npackages = 'git'\n",
            "image.packages must be a list of strings, not a string",
            'for example: packages = ["git", "libgl1"]',
        ),
        (
            "[image]\nenv = ['A=1']\n",
            "image.env must be a table of strings, not a list",
            'for example: env = { OMP_NUM_THREADS = "8" }',
        ),
        (
            "[image]\nplatform = {}\n",
            "image.platform must be a string or a list of strings, not a table",
            'for example: platform = ["linux/amd64", "linux/arm64"]',
        ),
        ("[image]\ncmd = 'python x'\n", "image.cmd must be a list of strings, not a string", None),
        ("[image]\ncmd = ['a', true]\n", "image.cmd[1] must be a string, not a boolean", None),
        ("[entropy]\nseed = '0'\n", "entropy.seed must be an integer, not a string", "for example: seed = 0"),
        (
            "[entropy]\nseed = true\n",
            "entropy.seed must be an integer, not a boolean",
            "for example: seed = 0",
        ),
        ("[entropy]\nseed = 0.0\n", "entropy.seed must be an integer, not a number", "for example: seed = 0"),
        ("[pip]\nexclude-newer = 12:00:00\n", "pip.exclude-newer must be a date, not a time", None),
        ("[pip]\nindex-url = 2026-01-01\n", "pip.index-url must be a string, not a date", None),
        (
            "[pip]\nresolver = ['uv']\n",
            "pip.resolver must be a string, not a list",
            'for example: resolver = "pip-tools"',
        ),
        ("image = 1\n", "image must be a table, not an integer", "write [image], and its keys below it"),
        ("[[image]]\n", "image must be a table, not a list", "write [image], and its keys below it"),
        (
            "[apt]\nurl = 'x'\n",
            "apt must be a list of tables, not a table",
            "write [[apt]], once for each, and its keys below it",
        ),
        ("apt = ['x']\n", "apt must be a list of tables, not a list of other values", None),
        ("[record]\nstore = 'notes'\n", "record.store must be a list of strings, not a string", None),
    ],
)
def test_a_wrong_type_is_told_with_an_example(configured, text, expected, hint):
    said, advice = message(configured, text)
    assert said == f"envfreeze.toml: {expected}"
    assert hint is None or advice == hint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("base = 'Debian:bookworm'", "or an image reference"),
        ("base = 'nvidia/cuda@sha256:12'", "or an image reference"),
        ("base = 'https://registry.example.org/x'", "or an image reference"),
        ("base = 'apt:debian'", "`apt:<distribution>/<suite>`"),
        ("base = 'apt:debian/../x'", "`apt:<distribution>/<suite>`"),
        ("base = ''", "`apt:<distribution>/<suite>`"),
        ("python = '3'", "a version like 3.13 or 3.13.5"),
        ("python = '3.13.05'", "the lock holds the exact version"),
        ("python = '2.7'", "a version like 3.13 or 3.13.5"),
        ("python = '3.013'", "a version like 3.13 or 3.13.5"),
        ("python = '>=3.11'", "a version like 3.13 or 3.13.5"),
        ("python = '3.13\\n'", "a version like 3.13 or 3.13.5"),
        ("platform = 'linux/amd46'", 'did you mean "linux/amd64"?'),
        ("platform = []", "must not be empty"),
        ("platform = ['linux/amd64', 'linux/amd64']", "platform[1] stands there twice"),
        ("env = { PATH = '/x' }", "env.PATH cannot be set"),
        ("env = { VIRTUAL_ENV = '/x' }", "env.VIRTUAL_ENV cannot be set"),
        ("env = { '1A' = '' }", "must be named by letters"),
        ("env = { 'A=B' = '' }", "must be named by letters"),
        ("env = { '' = '' }", "must be named by letters"),
        ('env = { A = "\\u0000" }', "text without NUL"),
        ("packages = ['git=']", "the lock pins the version"),
        ("packages = ['git=-1']", "`name=version` takes that very one"),
        ("packages = ['libc6:arm64']", "plain name"),
        ("packages = ['Git']", "the name of a Debian package"),
        ("packages = ['x']", "the name of a Debian package"),
        ("packages = ['git', 'git']", "packages[1] stands there twice"),
        ("mirror = 'mirror.example.org'", "must be an http://"),
        ("mirror = 'http://user:pw@example.org/debian'", "~/.netrc"),
        ("mirror = 'ftp://example.org/debian'", "must be an http://"),
        ("user = 'Me'", "a uid, or uid:gid"),
        ("user = 'me:staff'", "a uid, or uid:gid"),
        ("user = '-1'", "a uid, or uid:gid"),
        ("user = '4294967295'", "at most 4294967294"),
        ("user = '0:9999999999'", "at most 4294967294"),
        ("workdir = 'app'", "must be an absolute path"),
        ("workdir = '/app/../etc'", "must be an absolute path"),
        ("workdir = '//app'", "must be an absolute path"),
        ("workdir = '/proc/1'", "outside /proc"),
        ("workdir = '/opt/venv'", "/opt/venv"),
        ("labels = { '' = 'x' }", "must be named by"),
        ("labels = { 'a b' = 'x' }", "must be named by"),
    ],
)
def test_a_wrong_value_of_the_image(configured, line, words):
    said, hint = message(configured, f"[image]\n{line}\n")
    assert said.startswith("envfreeze.toml: image.")
    assert words in f"{said}\n{hint}"


@pytest.mark.parametrize(
    "line",
    [
        "base = 'apt:ubuntu/noble'",
        "base = 'apt:debian/trixie-backports'",
        "python = '3.9'",
        "python = '3.13.5'",
        "python-source = 'standalone'",
        "env = { _a1 = '' }",
        "packages = ['g++', 'libstdc++6', 'python3.13-dev', '7zip']",
        "mirror = 'file:///srv/mirror'",
        "user = 'www-data'",
        "user = '0'",
        "user = '65534:65534'",
        "workdir = '/'",
        "workdir = '/processed'",
        "workdir = '/opt/venv2/mit Leerzeichen'",
        "cmd = []",
        "labels = { 'a.b-c_d/e' = '' }",
    ],
)
def test_a_good_value_of_the_image(configured, line):
    configured(f"[image]\n{line}\n").load()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("resolver = 'pip'", 'must be "uv" or "pip-tools", not \'pip\''),
        ("exclude-newer = 'yesterday'", "RFC 3339"),
        ("exclude-newer = '2026-09-12T08:00:00'", "the offset from UTC"),
        ("exclude-newer = 2026-09-12T08:00:00", "which time zone"),
        ("exclude-newer = '2026-02-30'", "is not in the calendar: 2026-02-30"),
        ("exclude-newer = '2026-02-03T25:00:00Z'", "is not in the calendar"),
        ("exclude-newer = '9999-12-31'", "is not in the calendar"),
        ("exclude-newer = 9999-12-31T23:00:00-05:00", "is not in the calendar"),
        ("exclude-newer = '20260912'", "RFC 3339"),
        ("extras = ['a b']", "the name of an extra"),
        ("groups = ['']", "the name of a dependency group"),
        ("constraints = ['../x.txt']", "a path inside the project"),
        ("requirements = ['/etc/x.txt']", "a path inside the project"),
        ("requirements = ['https://example.org/x.txt']", "copy the file into the project"),
        ("requirements = ['x.txt']", "'x.txt' does not exist"),
        ("requirements = ['pyproject.toml']", "leave `requirements` out"),
        ("requirements = ['environment.yml']", "is not a requirements file"),
        ("requirements = ['folder']", "'folder' is not a file"),
        ("requirements = ['requirements.txt/x']", "cannot be followed"),
        ("constraints = ['limits.txt']", "'limits.txt' does not exist"),
        ("find-links = ['nowhere/']", "'nowhere/' does not exist"),
        ("find-links = ['requirements.txt']", "is not a folder"),
        ("find-links = ['/wheels']", "a folder inside the project"),
        ("find-links = ['../wheels']", "a folder inside the project"),
        ("index-url = 'example.org/simple'", "must be an http://"),
        ("index-url = 'ftp://example.org/simple'", "must be an http://"),
        ("index-url = 'https://example.org/a b'", "must be an http://"),
    ],
)
def test_a_wrong_value_of_pip(configured, line, words):
    folder = configured(f"[pip]\n{line}\n")
    folder.write("folder/file")
    error = folder.refused()
    assert error.message.startswith("envfreeze.toml: pip.")
    assert words in f"{error.message}\n{error.hint}"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-09-12", "2026-09-13T00:00:00+00:00"),
        ("'2026-09-12'", "2026-09-13T00:00:00+00:00"),
        ("2026-09-12T08:00:00Z", "2026-09-12T08:00:00+00:00"),
        ("2026-09-12 08:00:00.25+02:00", "2026-09-12T06:00:00.250000+00:00"),
        ("'2026-09-12t08:00:00z'", "2026-09-12T08:00:00+00:00"),
        ("'2026-09-12T08:00:00.123456789-05:30'", "2026-09-12T13:30:00.123456+00:00"),
    ],
)
def test_exclude_newer_is_a_moment_in_utc(configured, value, moment):
    pip = configured(f"[pip]\nexclude-newer = {value}\n").load().pip
    assert pip.exclude_newer.isoformat() == moment


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("seed = -1", "must be between 0 and 4294967295"),
        ("seed = 4294967296", "must be between 0 and 4294967295"),
    ],
)
def test_a_seed_has_32_bits(configured, line, words):
    assert words in message(configured, f"[entropy]\n{line}\n")[0]


def test_record_stores(configured):
    said, _ = message(configured, "[record]\nstore = ['notes', 'regsitry']\n")
    assert said == (
        'envfreeze.toml: record.store[1] must be "notes" or "file" or "registry", not \'regsitry\''
    )
    said, hint = message(configured, "[record]\nrepository = 'train'\n")
    assert "must be a registry's host and a repository" in said
    assert "registry.example.org/team/train" in hint
    assert "must not be empty" in message(configured, "[record]\nstore = []\n")[0]


def test_all_wrong_keys_are_told_at_once(configured):
    error = configured("[image]\npakages = []\npython = 3.13\n[entropy]\nseed = -1\n").refused()
    assert error.message == "envfreeze.toml: 3 keys are wrong"
    assert error.details == (
        "unknown key image.pakages (did you mean image.packages?)",
        'image.python must be a string, not a number (put it in quotes, for example: python = "3.13")',
        "entropy.seed must be between 0 and 4294967295 (for example: seed = 0)",
    )


@pytest.mark.parametrize("missing", ["url", "suite", "key"])
def test_an_apt_archive_needs_url_suite_and_key(configured, missing):
    lines = {"url": "'https://example.org/'", "suite": "'x'", "key": "'requirements.txt'"}
    del lines[missing]
    said, _ = message(configured, "[[apt]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()))
    assert said == f"envfreeze.toml: apt[0].{missing} is missing"


def archive_with(configured, **keys):
    lines = {"url": "https://example.org/", "suite": "noble", "key": "requirements.txt"} | keys
    return configured("[[apt]]\n" + "".join(f"{key} = {value!r}\n" for key, value in lines.items()))


@pytest.mark.parametrize("suite", ["stable/updates", "noble", "./", "/", "debian12/", "./a/b/"])
def test_the_suite_of_an_archive(configured, suite):
    (archive,) = archive_with(configured, suite=suite).load().apt
    assert archive.suite == suite
    assert archive.components == (() if suite.endswith("/") else ("main",))


@pytest.mark.parametrize("suite", ["", ".", "..", "../", "a/../", "/a", "a//", "a b"])
def test_what_is_no_suite(configured, suite):
    assert "the name of a suite" in archive_with(configured, suite=suite).refused().message


def test_a_flat_archive_has_no_components(configured):
    error = archive_with(configured, suite="/", components=["main"]).refused()
    assert "apt[0].components must not be there" in error.message


def test_an_archive_may_be_for_some_platforms(configured):
    (archive,) = archive_with(configured, platform="linux/arm64").load().apt
    assert archive.serves(Platform("linux", "arm64"))
    assert not archive.serves(Platform("linux", "amd64"))
    (archive,) = archive_with(configured).load().apt
    assert archive.serves(Platform("linux", "amd64"))
    assert "linux/amd64" in str(archive_with(configured, platform="linux/mips").refused().message)


def test_an_archive_s_credentials_come_from_the_environment_and_into_no_input(configured, monkeypatch):
    monkeypatch.setenv("APT_USER", "ada")
    monkeypatch.setenv("APT_PASSWORD", "s3cret")
    folder = archive_with(configured, url="https://${APT_USER}:${APT_PASSWORD}@example.org/apt")
    project = folder.load()
    assert project.apt[0].url == "https://ada:s3cret@example.org/apt"
    assert not any(b"s3cret" in content for content in project.inputs.values())
    monkeypatch.delenv("APT_PASSWORD")
    error = folder.refused()
    assert "needs the environment variable APT_PASSWORD" in error.message


def test_a_missing_key_file(configured):
    said, _ = message(configured, "[[apt]]\nurl = 'https://example.org/'\nsuite = 'x'\nkey = 'a.gpg'\n")
    assert said == "envfreeze.toml: apt[0].key 'a.gpg' does not exist"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "does not exist"),
        ("../x", "a file or folder of the project"),
        ("src/../../x", "a file or folder of the project"),
        ("/etc/passwd", "a file or folder of the project"),
        ("", "a file or folder of the project"),
        ("train.py/", "cannot be followed|is not a folder"),
        (".git/config", "git's own folder"),
        ("out", "leads out of the project"),
        ("outside/file", "leads out of the project"),
        ("circle", "cannot be followed"),
        ("a\\\\b", "a file or folder of the project"),
    ],
)
def test_include_stays_inside_the_project(configured, tmp_path, name, words):
    folder = configured(f'[image]\ninclude = ["{name}"]\n')
    folder.write("train.py")
    folder.write(".git/config")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("secret")
    (folder.root / "out").symlink_to("/etc/passwd")
    (folder.root / "outside").symlink_to(tmp_path / "elsewhere")
    (folder.root / "circle").symlink_to("circle")
    said = folder.refused().message
    assert said.startswith("envfreeze.toml: image.include[0] ")
    assert any(part in said for part in words.split("|"))


def test_include_takes_files_folders_and_links_inside(configured):
    folder = configured("[image]\ninclude = ['./src', 'train.py', 'link', '.']\n")
    folder.write("src/a.py")
    folder.write("train.py")
    (folder.root / "link").symlink_to("train.py")
    assert folder.load().image.include == ("src", "train.py", "link", ".")
