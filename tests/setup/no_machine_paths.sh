#!/bin/sh
# No file of the project may name a folder that only its writer has.
set -eu
cd "$(dirname "$0")/../.."
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo "not a git checkout: skipped"
    exit 0
fi
status=0
git grep -nIE --untracked '(^|[^A-Za-z0-9._/-])/(home|root|work|Users)/[A-Za-z0-9._]' -- . || status=$?
case $status in
0) echo "the lines above name a path of one machine: name it relative to the project." >&2 && exit 1 ;;
1) exit 0 ;; # git grep found nothing
*) exit "$status" ;;
esac
