#!/bin/sh
# All set-up of `make`: checks the tools, then fetches libtorch and the crates. Done twice, it does
# nothing. Whatever is missing is said in one sentence. `--linters` asks for rustfmt and clippy too.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

has() { command -v "$1" >/dev/null 2>&1; }
fail() {
    echo "set-up: $1" >&2
    exit 1
}

needed=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
found=$(cargo --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
[ -n "$found" ] ||
    fail "there is no working 'cargo': install Rust 1.$needed or newer (https://rustup.rs)."
[ "$found" -ge "$needed" ] ||
    fail "this is Rust 1.$found, but 1.$needed or newer is needed: run 'rustup update stable'."
if [ "${1:-}" = --linters ]; then
    for linter in fmt clippy; do
        cargo "$linter" --version >/dev/null 2>&1 ||
            fail "there is no 'cargo $linter': run 'rustup component add rustfmt clippy'."
    done
fi
# CXX may hold arguments, hence its first word; rustc links with `cc`.
compiler=${CXX:-c++}
for tool in "${compiler%% *}" cc; do
    has "$tool" ||
        fail "there is no C++ compiler '$tool': install one (on Debian or Ubuntu: apt install g++)."
done
has "$python" ||
    fail "there is no '$python': install Python 3.9 or newer, or name yours with PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
    fail "'$python' is $("$python" --version 2>&1), but Python 3.9 or newer is needed."

"$python" scripts/libtorch.py

# Now rather than in the build, so that a missing network is said in a sentence.
host=$(rustc -vV | sed -n 's/^host: //p')
if ! said=$(cargo fetch --quiet --target "$host" 2>&1); then
    case $said in
    *"failed to download"* | *"failed to get"* | *"Could not resolve"* | *"could not connect"*)
        fail "cargo could not download the crates: check the network, then run this again."
        ;;
    *) fail "$said" ;;
    esac
fi
