#!/bin/sh
# Virtual environments for the tests of the Python bridge: .venv-test, and .venv-test-0.29 with an
# old Gymnasium. Done twice, it does nothing. Only `make test` needs them.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() {
    echo "test environments: $1" >&2
    exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" --version 2>&1), but the pinned packages need Python 3.11 or newer."

# FOLDER REQUIREMENTS: makes the folder unless it was made from these very requirements.
make_venv() {
    folder=$1
    wanted=$("$python" --version; cat "$2" ${3:+"$3"})
    if [ -f "$folder/made-from" ] && [ "$wanted" = "$(cat "$folder/made-from")" ]; then
        return
    fi
    echo "== $folder: installing $2 ${3:-}"
    rm -rf "$folder"
    "$python" -m venv "$folder" || fail "cannot make a virtual environment (on Debian or Ubuntu: apt install python3-venv)."
    pip="$folder/bin/python -m pip --quiet --disable-pip-version-check install"
    $pip --only-binary=:all: -r "$2" || fail "pip could not install $2."
    if [ -n "${3:-}" ]; then
        $pip --only-binary=:all: --no-deps -r "$3" || fail "pip could not install $3."
    fi
    printf '%s\n' "$wanted" >"$folder/made-from"
}

make_venv .venv-test tests/python/requirements.txt tests/python/requirements-envpool.txt
make_venv .venv-test-0.29 tests/python/requirements-0.29.txt
