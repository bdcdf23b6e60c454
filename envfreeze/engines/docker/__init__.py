"""The engine `docker`: BuildKit, driven through the buildx program.

    client      the docker program and its buildx
    daemon      what the Docker daemon says of itself, over its API
    builder     buildx's builders: driver, BuildKit's version, platforms
    refusals    what a builder would not do though it was asked, and the way out
    probe       a build of two files, which shows what a builder does
    command     the command line of a build
    events      what buildx tells of a build while it runs
    build       all of it together

`docs/decisions/docker-engine.md` says why buildx is driven, and which trap each of these is for.
"""
