"""The engines `podman` and `buildah`: one builder, driven through either program.

    program     which of them is there, what it is, what it can do
    command     the command lines of a build. Pure
    words       what it says while it builds
    build       all of it together

A build has a storage of its own that goes with it: nothing of an earlier build is used, and nothing is left,
also not by a build that is killed. `docs/decisions/docker-engine.md` says what that costs.
"""
