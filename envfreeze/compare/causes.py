"""The catalogue: why images that should be equal are not, and what to do about each.

docs/reference/differences.md shows the same table. Which cause a difference has is decided in `suspects`.
"""

from __future__ import annotations

from typing import Final

from envfreeze.compare.model import UNKNOWN, Cause

TIMESTAMPS: Final = Cause(
    "timestamps",
    "made at another moment",
    "set SOURCE_DATE_EPOCH and let the builder rewrite times (rewrite-timestamp=true); the native engine has"
    " one constant time",
)
BYTECODE: Final = Cause(
    "bytecode",
    "bytecode was compiled again",
    "leave it out (PYTHONDONTWRITEBYTECODE=1, pip install --no-compile), or compile it with"
    " --invalidation-mode unchecked-hash",
)
INSTALLER_METADATA: Final = Cause(
    "installer-metadata",
    "another installer, or its notes about this installation",
    "uv: set UV_NO_INSTALLER_METADATA=1; pip: the same version, and install from files and not from folders",
)
CONDA_METADATA: Final = Cause(
    "conda-metadata",
    "conda's notes about this installation",
    "remove conda-meta/history and the package cache in the step that installs",
)
LDCONFIG_CACHE: Final = Cause(
    "ldconfig-cache",
    "the linker's cache was written again",
    "remove var/cache/ldconfig/aux-cache in the step that runs ldconfig or apt",
)
APT_RESIDUE: Final = Cause(
    "apt-residue",
    "lists, caches or logs that apt and dpkg leave",
    "in the step that installs: rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old"
    " /var/log/apt /var/log/dpkg.log /var/log/alternatives.log",
)
LOG_OR_CACHE: Final = Cause(
    "log-or-cache",
    "a log or a cache that a build step left",
    "remove it in the step that writes it: what a later layer deletes stays in the image",
)
ACCOUNT_DATE: Final = Cause(
    "account-date",
    "the day on which a password was set",
    "set it to a constant after useradd: sed -i 's/^\\([^:]*:[^:]*\\):[0-9]*:/\\1:1:/' /etc/shadow",
)
HOST_IDENTITY: Final = Cause(
    "host-identity",
    "an identity of the machine or the container that built it",
    "empty it in the last step: it belongs to the container that runs, not to the image",
)
FLOATING_PACKAGE: Final = Cause(
    "floating-package",
    "a package that nothing pins",
    "lock it, and build from the lock: envfreeze lock",
)
REBUILT_PACKAGE: Final = Cause(
    "rebuilt-package",
    "another build of the same version",
    "lock packages by hash and not by version: envfreeze lock",
)
RE_PUSHED_BASE: Final = Cause(
    "re-pushed-base",
    "the base is another one, perhaps under the same tag",
    "name the base by digest (FROM name:tag@sha256:...), as envfreeze lock does",
)
OTHER_BUILDER: Final = Cause(
    "other-builder",
    "another builder, or another version of it",
    "build with the engine that the record names",
)
OTHER_COMPRESSOR: Final = Cause(
    "other-compressor",
    "another compressor, version or level, or a registry or engine that packed it again",
    "nothing where level `layers` is enough; else state compression and level, or copy with"
    " --preserve-digests",
)
TAMPERING: Final = Cause(
    "tampering",
    "a file is not what the list of its own package says",
    "do not use the image before somebody can say who changed the file",
)
CHANGED_AFTER_INSTALL: Final = Cause(
    "changed-after-install",
    "a file of a package was changed after it was installed",
    "find the step that changes it; a patched package gets a version of its own",
)
PROJECT_FILES: Final = Cause(
    "project-files",
    "the project's own files are others",
    "compare the commits that both were built from: envfreeze log",
)
UNCOMMITTED_FILES: Final = Cause(
    "uncommitted-files",
    "the build was of files that no commit and no patch has",
    "commit before building",
)
SETTINGS: Final = Cause(
    "settings",
    "built with other settings",
    "compare [image] in envfreeze.toml, or the Dockerfiles",
)
PERMISSIONS: Final = Cause(
    "permissions",
    "another umask, or files copied with the modes of a checkout",
    "state the modes: COPY --chmod, or umask 022 before the step",
)
OWNERSHIP: Final = Cause(
    "ownership",
    "installed or copied by another user",
    "state the owner: COPY --chown with numbers, and the same USER in the step",
)
ATTRIBUTES: Final = Cause(
    "attributes",
    "extended attributes were lost or added, as copies between file systems do",
    "build where they are kept, or set them in the last step: setcap, setfattr",
)
OTHER_FILE_SYSTEM: Final = Cause(
    "other-file-system",
    "the layer was taken from another kind of storage, which sees deletions and links differently",
    "build with the same storage driver, or with the native engine, which has none",
)
LINE_ENDINGS: Final = Cause(
    "line-endings",
    "the lines end differently, as after a checkout on another system",
    "state them in .gitattributes: * text=auto eol=lf",
)
UNSORTED: Final = Cause(
    "unsorted",
    "the same lines or members in another order",
    "sort what the step writes: the order of a folder is not the same everywhere",
)
COMPILED_AGAIN: Final = Cause(
    "compiled-again",
    "compiled again, in another place or with another compiler",
    "install a wheel or a package that was built once; else fix compiler, flags and folder"
    " (-ffile-prefix-map)",
)
UNREADABLE_ORIGINAL: Final = Cause(
    "unreadable-original", "", "name a sound copy of it: envfreeze verify --against IMAGE"
)
NOT_AT_HAND: Final = Cause(
    "not-at-hand",
    "the reference's content is not at hand to say where",
    "name a copy of it: envfreeze verify --against IMAGE",
)
# Of what is installed in an image against a lock.
CONFIGURATION_FILE: Final = Cause(
    "configuration-file",
    "a configuration file, which packages leave to whoever runs them",
    "keep what has to differ in a file of the project's, copied in the last step",
)
MAINTAINER_SCRIPTS: Final = Cause(
    "maintainer-scripts",
    "set up by the packages' scripts, for which envfreeze has rules of its own",
    "nothing where apt installed the packages",
)
DPKG_DATABASE: Final = Cause(
    "dpkg-database",
    "dpkg's own notes, which another dpkg writes otherwise",
    "nothing: versions and files of its packages are compared themselves",
)
LAUNCHER: Final = Cause(
    "launcher",
    "the command's script is another installer's, and calls the same function",
    "nothing: it was read, and does nothing else",
)
OTHER_ENVIRONMENT: Final = Cause(
    "other-environment",
    "the environment was made by another tool, or in another place",
    "nothing where it is meant; as the lock has it: envfreeze build, envfreeze dockerfile",
)
LEFT_OUT: Final = Cause(
    "left-out",
    "documentation and translations, which dpkg can be told to leave out",
    "nothing where it is meant: path-exclude in /etc/dpkg/dpkg.cfg.d",
)
NOT_INSTALLED: Final = Cause(
    "not-installed",
    "the lock has it, and it was never installed or was removed again",
    "build from the lock: envfreeze build",
)
UNOWNED: Final = Cause(
    "unowned", "no package of the lock has it", "name the project's own files: [image] include"
)
ARTIFACT_GONE: Final = Cause(
    "artifact-gone",
    "what the lock names cannot be had to compare with",
    "keep what images are made of while it is there: mirrors and indexes of your own",
)

CATALOGUE: Final = (
    TIMESTAMPS,
    BYTECODE,
    INSTALLER_METADATA,
    CONDA_METADATA,
    LDCONFIG_CACHE,
    APT_RESIDUE,
    LOG_OR_CACHE,
    ACCOUNT_DATE,
    HOST_IDENTITY,
    FLOATING_PACKAGE,
    REBUILT_PACKAGE,
    RE_PUSHED_BASE,
    OTHER_BUILDER,
    OTHER_COMPRESSOR,
    TAMPERING,
    CHANGED_AFTER_INSTALL,
    PROJECT_FILES,
    UNCOMMITTED_FILES,
    SETTINGS,
    PERMISSIONS,
    OWNERSHIP,
    ATTRIBUTES,
    OTHER_FILE_SYSTEM,
    LINE_ENDINGS,
    UNSORTED,
    COMPILED_AGAIN,
    UNREADABLE_ORIGINAL,
    NOT_AT_HAND,
    CONFIGURATION_FILE,
    MAINTAINER_SCRIPTS,
    DPKG_DATABASE,
    LAUNCHER,
    OTHER_ENVIRONMENT,
    LEFT_OUT,
    NOT_INSTALLED,
    UNOWNED,
    ARTIFACT_GONE,
    UNKNOWN,
)
"""All of them, in the order of the documentation."""
