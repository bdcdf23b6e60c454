#!/usr/bin/env bash
# Lock, build and verify examples/digits in a git repository that is thrown away afterwards.
# usage: demo.sh [ENVFREEZE]     the envfreeze to use; by default the one on PATH
set -euo pipefail

envfreeze=$(command -v "${1:-envfreeze}") || {
  echo "error: there is no ${1:-envfreeze}; \`make demo\` sets one up" >&2
  exit 7
}
envfreeze=$(realpath "$envfreeze")
digits=$(dirname "$(realpath "$0")")/digits

work=$(mktemp -d "${TMPDIR:-/tmp}/envfreeze-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R "$digits/." "$work/"
cd "$work"

git init --quiet
git add --all
git -c user.name=demo -c user.email=demo@example.org commit --quiet --message "Train a model on digits"

step() { printf '\n$ %s\n' "$*" >&2; }

step envfreeze lock
"$envfreeze" lock >/dev/null
step envfreeze build
digest=$("$envfreeze" build)
step envfreeze verify "$digest"
verdict=$("$envfreeze" verify "$digest")

printf '\ndigest   %s\nverdict  %s\n' "$digest" "$verdict"
