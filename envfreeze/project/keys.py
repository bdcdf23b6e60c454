r"""The keys of the configuration: one description, for checking, for the JSON schema and for the docs.

What a key means once it is read is in `model`; docs/reference/configuration.md tells it to the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envfreeze.oci.platform import Platform
from envfreeze.oci.reference import GRAMMAR
from envfreeze.project.kinds import Choice, Items, Moment, Named, OneOrMore, Secret, Text, Whole
from envfreeze.project.rows import Flag, Rows

if TYPE_CHECKING:
    from envfreeze.project.kinds import Kind


class Key(Struct, frozen=True):
    """A key.

    Attributes:
        name: as it is written.
        kind: what its value is.
        doc: what it does, in one or two sentences.
        example: a whole line of TOML.
        default: its value where it is not written, as TOML reads it; None: no value.
        otherwise: what happens without it, in words, where `default` alone does not say it.
        required: its table must have it.

    """

    name: str
    kind: Kind
    doc: str
    example: str
    default: str | tuple[str, ...] | dict[str, str] | None = None
    otherwise: str = ""
    required: bool = False


class Table(Struct, frozen=True):
    """A table of keys.

    Attributes:
        name: as it is written.
        doc: what it is for.
        keys: its keys.
        repeated: it is written `[[name]]` and may stand there several times.

    """

    name: str
    doc: str
    keys: tuple[Key, ...]
    repeated: bool = False

    @property
    def header(self) -> str:
        """`[image]` or `[[apt]]`."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]"

    def key(self, name: str) -> Key | None:
        """Find a key by its name."""
        return next((key for key in self.keys if key.name == name), None)


_CONTROL = r"\u0000-\u001f\u007f"
_PART = rf"(?!\.\.?(?:/|$))[^/\\{_CONTROL}]+"
_RELATIVE = rf"(?:\./)?{_PART}(?:/{_PART})*"
_SUITE_PART = "[a-z0-9][a-z0-9.+-]*"
_NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CONDA_NAME = "[a-z0-9_](?:[a-z0-9._-]*)"
_NUMBER = "(?:0|[1-9][0-9]{0,9})"
_COUNT = "(?:0|[1-9][0-9]?)"
_REST = rf"[^ {_CONTROL}]*"
_HOST = rf"[^/@ {_CONTROL}]+(?:/{_REST})?"

VARIABLE = r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}"
"""How a value names an environment variable."""

_FILE = Text(
    _RELATIVE,
    "a path inside the project, relative to its folder",
    "a lock is made of the project's own files: copy the file into the project",
)
ARCHIVE = Secret(
    f"https?://{_HOST}|file:///{_REST}",
    "an http://, https:// or file:/// URL without user and password",
    "credentials are read from ~/.netrc, so that they never stand in a lock",
)
"""Where something lies that is fetched and locked: no password may stand in it."""

_FURTHER = Secret(
    f"https?://(?:{VARIABLE}(?::{VARIABLE})?@)?{_HOST}|file:///{_REST}",
    "an http://, https:// or file:/// URL without user and password",
    "credentials are read from ~/.netrc, or written as ${NAME}, an environment variable: they never stand in "
    "a lock",
)
_INDEX = Secret(
    f"(?:https?://|file:///|{VARIABLE}){_REST}",
    "an http://, https:// or file:/// URL; ${NAME} stands for an environment variable",
)
_PACKAGE = Text(rf"{_NAME}|\*", "the name of a Python package, or `*`")
_ARGUMENTS = Items(Text(r"[^\u0000]*", "text without NUL"), unique=False)

_IMAGE_BASE = Text(
    f"apt:{_SUITE_PART}/{_SUITE_PART}|(?!apt:){GRAMMAR}",
    "`apt:<distribution>/<suite>` or an image reference",
    "a base is assembled from a suite's packages, as in apt:debian/trixie, or an image of a registry, as in "
    "nvidia/cuda:12.8.1-base-ubuntu24.04",
)
_DEBS = Items(
    Text(
        "[a-z0-9][a-z0-9+.-]+(?:=(?:[0-9]+:)?[A-Za-z0-9][A-Za-z0-9.+:~-]*)?",
        "the name of a Debian package",
        "write the plain name, without architecture: the lock pins the version; `name=version` takes that "
        "very one",
    )
)

IMAGE = Table(
    "image",
    "The image: what it is assembled from and how it is started.",
    (
        Key(
            "base",
            _IMAGE_BASE,
            "The distribution and suite whose packages the base is assembled from, or the image that is the "
            "base. The lock holds an image by its digest.",
            'base = "nvidia/cuda:12.8.1-base-ubuntu24.04"',
            "apt:debian/trixie",
        ),
        Key(
            "python",
            Text(
                rf"3\.{_COUNT}(?:\.{_COUNT})?",
                "a version like 3.13 or 3.13.5",
                "the lock holds the exact version, whichever of the two is asked for",
            ),
            "The version of Python that the image must have: a minor version, or an exact one. Where the "
            "base and its distribution have another one, it is a build of python-build-standalone. Where "
            "conda provides Python, conda gives this one.",
            'python = "3.13"',
            otherwise="the base's own",
        ),
        Key(
            "python-source",
            Choice(("base", "distribution", "standalone", "conda")),
            "Where Python comes from: what is in the base, the packages of its distribution, a build of "
            "python-build-standalone, or the environment file's packages.",
            'python-source = "standalone"',
            otherwise="the first of them that has the Python: conda where the environment file names one, "
            "the base, the distribution, python-build-standalone",
        ),
        Key(
            "python-mirror",
            ARCHIVE,
            "Where builds of python-build-standalone are fetched from: the folder that holds a folder for "
            "each date. The build's own address is asked after it.",
            'python-mirror = "https://mirror.example.org/python-build-standalone"',
            otherwise="the environment variable UV_PYTHON_INSTALL_MIRROR",
        ),
        Key(
            "python-index",
            ARCHIVE,
            "A list of builds of python-build-standalone, in uv's format.",
            'python-index = "https://mirror.example.org/python-downloads.json"',
            otherwise="the environment variable UV_PYTHON_DOWNLOADS_JSON_URL, else the list that the package "
            "pbs-installer brings",
        ),
        Key(
            "platform",
            OneOrMore(Choice(Platform.SUPPORTED), at_least=1),
            "The platform, or a list of platforms, that images are made for. None needs emulation.",
            'platform = ["linux/amd64", "linux/arm64"]',
            "linux/amd64",
        ),
        Key(
            "env",
            Named(
                Text(r"[^\u0000]*", "text without NUL"),
                "[A-Za-z_][A-Za-z0-9_]*",
                "letters, digits and underscores, not beginning with a digit",
                {
                    "PATH": "it leads to the environment in the image",
                    "VIRTUAL_ENV": "it names the environment in the image",
                    "CONDA_PREFIX": "it names the environment in the image",
                },
            ),
            "Further environment variables of the image. PATH, VIRTUAL_ENV and CONDA_PREFIX are set by "
            "envfreeze.",
            'env = { OMP_NUM_THREADS = "8" }',
            {},
        ),
        Key(
            "packages",
            _DEBS,
            "Names of OS packages to add to the base. What they depend on comes with them. `name=version` "
            "takes that version, where an archive has it.",
            'packages = ["git", "libgl1"]',
            (),
        ),
        Key(
            "mirror",
            ARCHIVE,
            "Root of the mirror that the distribution's packages are fetched from. Another mirror does not "
            "change the image.",
            'mirror = "https://mirror.example.org/debian"',
            otherwise="the host's own where it is of the same distribution, else the snapshot archive",
        ),
        Key(
            "include",
            Items(
                Text(
                    rf"\./?|{_RELATIVE}/?",
                    "a file or folder of the project, relative to its folder",
                    "only files of the project can be copied in",
                )
            ),
            "Files and folders of the project that are copied below `workdir`, with their paths.",
            'include = ["src/", "train.py"]',
            (),
            otherwise="none: the environment is the image",
        ),
        Key(
            "user",
            Text(
                f"[a-z_][a-z0-9_-]{{0,31}}|{_NUMBER}(?::{_NUMBER})?",
                "a user's name, a uid, or uid:gid",
            ),
            "Who the image's command runs as: a user's name, a uid, or uid:gid.",
            'user = "1000:1000"',
            otherwise="root",
        ),
        Key(
            "workdir",
            Text(
                rf"/|(?!/(?:proc|sys|dev|opt/venv)(?:/|$))(?:/{_PART})+/?",
                "an absolute path outside /proc, /sys, /dev and /opt/venv",
                "choose a folder of its own, as in /app",
            ),
            "The absolute path that commands start in and that `include` copies to.",
            'workdir = "/workspace"',
            "/app",
        ),
        Key(
            "entrypoint",
            _ARGUMENTS,
            "The start of the command, as a list of arguments. No shell reads it.",
            'entrypoint = ["python", "-u"]',
            otherwise="none",
        ),
        Key(
            "cmd",
            _ARGUMENTS,
            "The command, or the arguments that follow `entrypoint`, as a list. No shell reads it.",
            'cmd = ["train.py", "--epochs", "10"]',
            otherwise="`python` where there is no entrypoint either",
        ),
        Key(
            "labels",
            Named(
                Text(r"[^\u0000]*", "text without NUL"),
                "[A-Za-z0-9][A-Za-z0-9._/-]*",
                "letters, digits and `.`, `-`, `_` or `/`",
                {},
            ),
            "Labels of the image.",
            'labels = { "org.opencontainers.image.vendor" = "Example" }',
            {},
        ),
    ),
)

APT = Table(
    "apt",
    "A further archive of OS packages. Its index must be signed.",
    (
        Key(
            "url",
            _FURTHER,
            "The archive's root: the folder that holds `dists/`, or of a flat archive its packages. "
            "`${NAME}` stands for an environment variable: `https://${USER}:${PASSWORD}@packages.example.org`.",
            'url = "https://packages.example.org/debian"',
            required=True,
        ),
        Key(
            "suite",
            Text(
                rf"(?:{_NAME}/)*{_NAME}|(?:\./)?(?:{_NAME}/)+|\.?/",
                "the name of a suite, as in trixie, or the folder of a flat archive, as in / or debian12/",
            ),
            "The suite to read. One that ends in `/` is the folder of a flat archive's index, below `url`: "
            "`/` is `url` itself.",
            'suite = "trixie"',
            required=True,
        ),
        Key(
            "components",
            Items(Text(rf"(?:{_NAME}/)*{_NAME}", "the name of a component, as in main"), at_least=1),
            "The suite's components to read. A flat archive has none.",
            'components = ["main", "contrib"]',
            ("main",),
        ),
        Key(
            "platform",
            OneOrMore(Choice(tuple(Platform.SUPPORTED))),
            "The platform, or a list of platforms, that the archive is for; on others it is not read.",
            'platform = "linux/amd64"',
            otherwise="all platforms of the image",
        ),
        Key(
            "key",
            _FILE,
            "File with the OpenPGP keys that the archive is signed with, relative to the project.",
            'key = "keys/example.gpg"',
            required=True,
        ),
    ),
    repeated=True,
)

_INDEX_KEYS = (
    Key(
        "name",
        Text(_NAME, "a name of letters, digits, `.`, `-` and `_`"),
        "How it is called: in UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD, and in messages.",
        'name = "pytorch-cu128"',
        required=True,
    ),
    Key(
        "url",
        _INDEX,
        "Its simple API. `${NAME}` as in `index-url`.",
        'url = "https://wheels.example.org/cu128"',
        required=True,
    ),
    Key(
        "packages",
        Items(
            Text(
                r"[A-Za-z0-9*](?:[A-Za-z0-9._*-]*[A-Za-z0-9*])?",
                "the name of a package, where `*` stands for any letters",
            )
        ),
        "Packages that come from this index and from no other.",
        'packages = ["torch", "nvidia-*"]',
        (),
    ),
    Key(
        "explicit",
        Flag(),
        "Whether it is asked for nothing but `packages`.",
        "explicit = false",
        otherwise="true where there are `packages`",
    ),
    Key(
        "default",
        Flag(),
        "It takes the place of `index-url`: it is asked last.",
        "default = true",
        otherwise="false",
    ),
)

PIP = Table(
    "pip",
    "The Python packages and where they come from.",
    (
        Key(
            "requirements",
            Items(_FILE),
            "Requirements files in pip's format; `-r` and `-c` in them are followed. They take the place of "
            "`[project.dependencies]`. An empty list: no Python packages but those of `extras` and `groups`.",
            'requirements = ["requirements.in"]',
            otherwise="`[project.dependencies]`, else requirements.txt, else requirements.in",
        ),
        Key(
            "lock",
            _FILE,
            "A lock file of another tool (uv.lock, pylock.toml, poetry.lock, Pipfile.lock, a requirements "
            "file with hashes, conda-lock.yml, pixi.lock, an explicit conda file) that packages are taken "
            "from as they are, instead of being resolved.",
            'lock = "uv.lock"',
            otherwise="uv.lock, poetry.lock, Pipfile.lock or pixi.lock where nothing else names packages",
        ),
        Key(
            "extras",
            Items(Text(_NAME, "the name of an extra")),
            "Extras of the project, from `[project.optional-dependencies]`, to add.",
            'extras = ["train"]',
            (),
        ),
        Key(
            "groups",
            Items(Text(_NAME, "the name of a dependency group")),
            "Dependency groups, from `[dependency-groups]` in pyproject.toml, to add.",
            'groups = ["notebook"]',
            (),
        ),
        Key(
            "index-url",
            _INDEX,
            "The package index. `${NAME}` stands for an environment variable, which keeps passwords out of "
            "the file.",
            'index-url = "https://${INDEX_USER}:${INDEX_PASSWORD}@pypi.example.org/simple"',
            otherwise="UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL where one is set, else uv's own",
        ),
        Key(
            "extra-index-url",
            OneOrMore(_INDEX),
            "A further index, or a list of them, asked before `index-url`. The first that knows a package "
            "is the only one that it is taken from. `${NAME}` as in `index-url`.",
            'extra-index-url = ["https://wheels.example.org/cu128"]',
            (),
        ),
        Key(
            "index",
            Rows(_INDEX_KEYS),
            "Indexes with names, asked in this order before `extra-index-url`, also written as tables "
            "[[pip.index]]. Their keys: `name`, `url`, `packages` (names or patterns with `*` that come from "
            "this index and no other), `explicit` (it is asked for nothing else; true where there are "
            "`packages`) and `default` (it takes the place of `index-url`).",
            'index = [{ name = "cu128", url = "https://wheels.example.org/cu128", packages = ["torch"] }]',
            (),
        ),
        Key(
            "keyring-provider",
            Choice(("disabled", "subprocess")),
            "Whether passwords of indexes whose URL has only a user name are asked of the `keyring` command.",
            'keyring-provider = "subprocess"',
            otherwise="UV_KEYRING_PROVIDER or PIP_KEYRING_PROVIDER where one is set, else disabled",
        ),
        Key(
            "find-links",
            OneOrMore(
                Secret(
                    rf"{VARIABLE}{_REST}|https?://{_REST}|file:///{_REST}|(?!{_REST}://){_RELATIVE}/?",
                    "a folder inside the project, or an http://, https:// or file:/// URL",
                )
            ),
            "A folder of wheels in the project or the URL of a page that lists them, or a list of those. "
            "`${NAME}` as in `index-url`.",
            'find-links = ["wheels/"]',
            (),
        ),
        Key(
            "constraints",
            Items(_FILE),
            "Constraints files: they limit versions and add no package.",
            'constraints = ["constraints.txt"]',
            (),
        ),
        Key(
            "exclude-newer",
            Moment(),
            "Ignore files uploaded after this moment. A date alone means the end of that day in UTC. A span, "
            'as in "7 days", ends when the lock is made, and the lock keeps that moment until an upgrade.',
            "exclude-newer = 2026-09-12",
            otherwise="no limit",
        ),
        Key(
            "allow-sdist",
            Items(_PACKAGE),
            "Packages whose sdists may be built, without network, into the wheels that are locked. `*`: all.",
            'allow-sdist = ["antlr4-python3-runtime"]',
            (),
            otherwise="a package without a wheel is an error",
        ),
        Key(
            "allow-unreproducible",
            Items(_PACKAGE),
            "Packages that may be locked although two builds of them differ. `*`: all.",
            'allow-unreproducible = ["stamped"]',
            (),
        ),
        Key(
            "resolver",
            Choice(("uv", "pip-tools")),
            "What resolves the requirements. pip-tools resolves only for the Python and the platform that it "
            "runs on, and has to be installed.",
            'resolver = "pip-tools"',
            "uv",
        ),
    ),
)

CONDA = Table(
    "conda",
    "The conda packages and where they come from.",
    (
        Key(
            "environment",
            _FILE,
            "The environment file: channels, dependencies and the `pip:` section, whose requirements join "
            "those of `[pip]`.",
            'environment = "environment.yml"',
            otherwise="environment.yml, else environment.yaml, where there is this table or no configuration",
        ),
        Key(
            "channels",
            Items(
                Secret(
                    rf"{_PART}(?:/{_PART})*|(?:https?://|file:///|{VARIABLE}){_REST}",
                    "the name of a channel, or an http://, https:// or file:/// URL",
                ),
                at_least=1,
            ),
            "The channels, the most wanted first; they take the place of the environment file's. `${NAME}` "
            "stands for an environment variable.",
            'channels = ["https://${CHANNEL_USER}:${CHANNEL_PASSWORD}@conda.example.org/ml", "conda-forge"]',
            otherwise="those of the environment file",
        ),
        Key(
            "channel-priority",
            Choice(("strict", "disabled"), "the solver knows these two"),
            "`strict`: the first channel that has a package is the only one that it is taken from. "
            "`disabled`: all channels are asked, and the order decides between equal versions only.",
            'channel-priority = "disabled"',
            "strict",
        ),
        Key(
            "exclude-newer",
            Moment(),
            "Ignore packages made after this moment. A date alone means the end of that day in UTC.",
            "exclude-newer = 2026-09-12",
            otherwise="`[pip] exclude-newer`",
        ),
        Key(
            "allow-link-scripts",
            Items(Text(_CONDA_NAME, "the name of a conda package")),
            "Packages that may have link scripts (post-link, pre-link, pre-unlink). The scripts are never "
            "run: a name here says that the image is right without.",
            'allow-link-scripts = ["font-ttf-dejavu"]',
            (),
        ),
        Key(
            "name-map",
            Named(
                Text(_NAME, "the name of a Python distribution"),
                _CONDA_NAME,
                "a conda package's name",
                {},
            ),
            "Which Python distribution a conda package provides, where envfreeze cannot tell or tells it "
            "wrongly.",
            'name-map = { mypackage-core = "mypackage" }',
            {},
        ),
    ),
)

GPU = Table(
    "gpu",
    "The machines that the image shall run on. Locking never looks at the one that it runs on.",
    (
        Key(
            "driver",
            Text(
                "(?:>=)? ?[0-9]{3}(?:[.][0-9]{1,3}){0,2}",
                "a driver version like 550.54.15, or >=550.54",
                "the fleet's oldest: `nvidia-smi --query-gpu=driver_version --format=csv` prints a machine's",
            ),
            "The oldest NVIDIA driver among the machines. A lock whose CUDA it cannot run is refused.",
            'driver = ">=550.54"',
            otherwise="whether the lock runs on the machines is not known",
        ),
        Key(
            "gpus",
            Items(
                Text(
                    r"[A-Za-z0-9][A-Za-z0-9 ()._+/-]*",
                    "a GPU's name or a compute capability",
                    "a name like A100, as `nvidia-smi -L` prints it, or a compute capability like 8.0",
                )
            ),
            "The GPU models of the machines, by name or as compute capabilities.",
            'gpus = ["A100", "H100"]',
            (),
        ),
        Key(
            "flavour",
            Choice(("nothing", "base", "runtime", "devel")),
            'What the packages need of the system\'s CUDA, with `base = "cuda"`: nothing, the runtime, all '
            "libraries, or the compilers too.",
            'flavour = "devel"',
            otherwise="what the locked packages need",
        ),
        Key(
            "compile",
            Flag(),
            "Whether the image has what compiles kernels while a program runs: gcc, the C library's headers "
            "and Python's. Triton needs them, and `torch.compile` with it.",
            "compile = true",
            otherwise="where Triton is locked",
        ),
    ),
)

ENTROPY = Table(
    "entropy",
    "Where randomness in a run would come from.",
    (
        Key(
            "seed",
            Whole(0, 4_294_967_295),
            "Sets PYTHONHASHSEED to this and the other variables that make runs repeatable. 0 to 4294967295.",
            "seed = 0",
            otherwise="none of these variables is set",
        ),
    ),
)

RECORD = Table(
    "record",
    "The record that ties an image's digest to the commit.",
    (
        Key(
            "store",
            Items(Choice(("notes", "file", "registry")), at_least=1),
            "Where records are written. `notes`: in git notes, or in a file beside the lock outside git. "
            "`file`: in envfreeze.records.jsonl beside the lock, which you commit. `registry`: attached to "
            "the image where it is pushed to. Several at once if you like; all places are read.",
            'store = ["notes", "registry"]',
            ("notes",),
        ),
        Key(
            "repository",
            Text(
                r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/.+",
                "a registry's host and a repository",
                "as in registry.example.org/team/train, without a tag",
            ),
            "The repository of a registry in which records are looked for that are nowhere else.",
            'repository = "registry.example.org/team/train"',
            otherwise="a registry is asked only where an image in it is named",
        ),
    ),
)

_REGISTRY = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]+)?"

REGISTRY = Table(
    "registry",
    "Where images of registries are taken from.",
    (
        Key(
            "mirrors",
            Named(
                Text(
                    rf"{_REGISTRY}(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*",
                    "a registry's host, with a folder perhaps",
                    "as in mirror.example.org/hub, without https:// and without a password",
                ),
                _REGISTRY,
                "a registry's host",
                {},
            ),
            "Mirrors of registries, asked before the registry itself. The lock names them beside the "
            "registry; what comes from them is held to the locked digests.",
            'mirrors = { "docker.io" = "mirror.example.org/hub" }',
            {},
        ),
    ),
)

_STEPS = Items(
    Text(
        r"[ \t\n]*(?!(?:[Ff][Rr][Oo][Mm])[ \t])[A-Za-z#][^\u0000]*",
        "an instruction of a Dockerfile, and no FROM",
        "a stage of your own belongs into a template",
    ),
    unique=False,
)

DOCKER = Table(
    "docker",
    "The Dockerfile that `envfreeze dockerfile` writes.",
    (
        Key(
            "engine",
            Choice(("native", "docker", "podman", "buildah")),
            "What `envfreeze build` builds with where `--engine` does not say it. `native` assembles the "
            "image and runs nothing; the others build the Dockerfile.",
            'engine = "docker"',
            "native",
        ),
        Key(
            "output",
            _FILE,
            "A folder of the project that `envfreeze lock` writes the Dockerfile into, with all that it "
            "needs, whenever the lock changes. `envfreeze dockerfile` writes it there, too.",
            'output = "docker"',
            otherwise="`envfreeze dockerfile` writes to .envfreeze/docker, and `envfreeze lock` writes none",
        ),
        Key(
            "network",
            Choice(("none", "default")),
            "Where the builder gets packages. `none`: from the build folder, with no network in any step. "
            "`default`: what has a URL is downloaded by the builder, by its checksum, and the folder is "
            "small.",
            'network = "default"',
            "none",
        ),
        Key(
            "before",
            _STEPS,
            "Instructions between the OS packages and the Python packages, a string each.",
            """before = ["RUN ldconfig"]""",
            (),
        ),
        Key(
            "after",
            _STEPS,
            "Instructions at the end, when all packages and project files are there, before the image's user "
            "and command.",
            """after = ["RUN python -c 'import numpy'"]""",
            (),
        ),
        Key(
            "context",
            Items(
                Text(
                    rf"{_RELATIVE}/?",
                    "a file or folder of the project, relative to its folder",
                    "only files of the project can be given to a build",
                )
            ),
            "Files and folders of the project that the instructions of `before`, `after` and the template "
            "can COPY, from `context/`.",
            'context = ["native/"]',
            (),
        ),
        Key(
            "template",
            _FILE,
            'A Jinja2 template of the project that extends `"envfreeze/Dockerfile.j2"` and fills its blocks.',
            'template = "Dockerfile.j2"',
            otherwise="envfreeze's own",
        ),
        Key(
            "account",
            Text("[a-z_][a-z0-9_-]{0,31}", "a user's name, in lower case"),
            "The name of an account that is made for the ids of `image.user`, with a home folder.",
            'account = "trainer"',
            otherwise="none is made: a user needs no account to run a command",
        ),
        Key(
            "build",
            Items(Text(_NAME, "the name of a Python package")),
            "Packages without a wheel that need a compiler: they are compiled by Docker in a stage of its "
            "own, and the wheels are locked by hash for every engine.",
            'build = ["my-kernels"]',
            (),
        ),
        Key(
            "build-image",
            _IMAGE_BASE,
            "What that stage is based on: a suite, or an image, which the lock holds by its digest.",
            'build-image = "nvidia/cuda:12.8.1-devel-ubuntu24.04"',
            otherwise="`image.base`",
        ),
        Key(
            "build-packages",
            _DEBS,
            "OS packages that the stage has beyond its base. The headers of Python belong to it where Python "
            "is the distribution's.",
            'build-packages = ["g++", "cmake"]',
            ("g++",),
        ),
        Key(
            "build-requires",
            Items(Text(r"[A-Za-z0-9][^\u0000-\u001f\u007f]*", "a requirement, as in torch==2.8.0")),
            "Python packages that the builds need beyond those that they state in `[build-system] requires`.",
            'build-requires = ["torch==2.8.0", "ninja"]',
            (),
        ),
        Key(
            "build-env",
            Named(
                Text(r"[^\u0000-\u001f]*", "text without line breaks"),
                "[A-Za-z_][A-Za-z0-9_]*",
                "letters, digits and underscores, not beginning with a digit",
                {"PATH": "it leads to the tools of the build", "SOURCE_DATE_EPOCH": "it is set by envfreeze"},
            ),
            "Environment variables of the builds.",
            'build-env = { TORCH_CUDA_ARCH_LIST = "8.0 9.0" }',
            {},
        ),
        Key(
            "wheelhouse",
            _FILE,
            "A folder of the project that the compiled wheels are written to: a machine that has them there "
            "need not compile.",
            'wheelhouse = "vendor/wheels"',
            "wheelhouse",
        ),
    ),
)

_OF_VARIANT = {
    "base": ("image", IMAGE),
    "index-url": ("pip", PIP),
    "extra-index-url": ("pip", PIP),
    "requirements": ("pip", PIP),
    "constraints": ("pip", PIP),
    "extras": ("pip", PIP),
    "groups": ("pip", PIP),
    "driver": ("gpu", GPU),
    "gpus": ("gpu", GPU),
    "build-image": ("docker", DOCKER),
}

VARIANT_TABLES = {name: table for name, (table, _) in _OF_VARIANT.items()}
"""In which table a key of `[[bake.cuda]]` stands otherwise."""


def _keys_of_variants() -> tuple[Key, ...]:
    name = Key(
        "name",
        Text("[a-z0-9][a-z0-9_-]{0,31}", "a name of lower-case letters, digits, `-` and `_`"),
        "What the variant is called in the names of targets.",
        'name = "cu128"',
        required=True,
    )
    others = (table.key(key) for key, (_, table) in _OF_VARIANT.items())
    return (name, *(key for key in others if key is not None))


BAKE = Table(
    "bake",
    "The matrix of images that `envfreeze bake` writes a docker-bake file for.",
    (
        Key(
            "output",
            _FILE,
            "The folder of the project that the file is written to, with a folder for each combination: its "
            "lock and its Dockerfile.",
            'output = "images"',
            "bake",
        ),
        Key(
            "python",
            Items(Text(r"3\.(?:0|[1-9][0-9]?)", "a minor version like 3.13"), at_least=1),
            "Minor versions of Python, each in place of `image.python`.",
            'python = ["3.12", "3.13"]',
            otherwise="the one of `image.python`",
        ),
        Key(
            "cuda",
            Rows(_keys_of_variants()),
            "Variants of CUDA, also written as tables [[bake.cuda]]. Each has a `name`, and keys that take "
            "the place of those of other tables: `base` of `[image]`; `index-url`, `extra-index-url`, "
            "`requirements`, `constraints`, `extras` and `groups` of `[pip]`; `driver` and `gpus` of "
            "`[gpu]`; `build-image` of `[docker]`.",
            'cuda = [{ name = "cu128", extra-index-url = "https://wheels.example.org/cu128" }]',
            (),
        ),
        Key(
            "platform",
            Items(Choice(Platform.SUPPORTED), at_least=1),
            "Platforms, each in place of `image.platform`.",
            'platform = ["linux/amd64", "linux/arm64"]',
            otherwise="those of `image.platform`, as one image for all",
        ),
    ),
)

TABLES = (IMAGE, APT, CONDA, PIP, GPU, ENTROPY, RECORD, REGISTRY, DOCKER, BAKE)
"""All tables, in the order in which the docs tell them."""
