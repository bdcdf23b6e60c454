"""What the engines share that have a program build a Dockerfile: Docker's BuildKit, Podman, Buildah.

    choice      the engines by name
    model       what is asked of such an engine, and what it gives
    context     the build folder, staged so that nothing of this machine is in it
    secrets     what `--secret` and `--ssh` say, and what may never be shown
    log         what the program says, kept in a file
    process     running the program, which ends when this process does
    tether      the few lines that see to that
    failing     a step that failed, in an error of few lines
    residue     which files no second build gives again
    readback    the image that came out, checked

Only `choice` knows the programs.
"""
