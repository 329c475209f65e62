#!/bin/sh
# Tests of scripts/setup.sh and scripts/libtorch.py with tiny wheels, without a network. Each
# function test_* runs in a folder of its own with a copy of the project's set-up files.
set -u
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$("${PYTHON:-python3}" -c 'import sys; print(sys.executable)') # past any wrapper script

# The machine's own choices must not reach the tests.
unset LIBTORCH LIBTORCH_DEVICE CXX PYTHONPATH
export PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONDONTWRITEBYTECODE=1

# What pip can find: all, torch, nvidia or none.
index() { export PIP_FIND_LINKS="$work/$1"; }
libtorch() { "$python" scripts/libtorch.py >out 2>err; }
fails_with() { # the last command failed, and stderr is this one sentence
    [ "$1" -ne 0 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "^set-up: .*$2" err
}
fails_libtorch() {
    libtorch
    fails_with $? "$1"
}
fetched() { grep -c downloading out; }
# Puts every wheel where finished downloads lie, which spares a run of pip for each.
download_all() { mkdir -p .libtorch/downloads && cp "$work"/all/*.whl .libtorch/downloads/; }
# Runs Python with one standard function replaced, as on a machine that is short of something.
patched() {
    mkdir -p patch && echo "$1" >patch/sitecustomize.py && export PYTHONPATH="$PWD/patch"
}

test_slim_has_what_builds_need_and_no_more() {
    index all && LIBTORCH_DEVICE=cpu libtorch &&
        [ "$(cd .libtorch/lib && echo *)" = "libc10.so libgomp.so.1 libtorch.so libtorch_cpu.so" ] &&
        [ -f .libtorch/include/torch/torch.h ] &&
        [ "$(cat .libtorch/lib/libtorch.so)" = "INPUT(libtorch_cpu.so)" ] &&
        [ "$(cat .libtorch/build-version)" = 2.11.0 ] &&
        [ "$(cd .libtorch/nvidia/cu13/lib && echo *)" = "libcudart.so.13 libcupti.so.13" ] &&
        [ ! -e .libtorch/downloads ] && [ ! -e .libtorch/cuda_library_path ]
}
test_a_second_run_downloads_nothing() {
    index all && LIBTORCH_DEVICE=cpu libtorch && index none && LIBTORCH_DEVICE=cpu libtorch &&
        [ ! -s out ]
}
test_parts_that_are_in_place_are_kept_when_a_later_one_fails() {
    index torch && LIBTORCH_DEVICE=cpu && export LIBTORCH_DEVICE &&
        fails_libtorch "pip could not download nvidia-cuda-runtime==.*network" &&
        [ ! -e .libtorch/lib ] && index all && libtorch && [ "$(fetched)" -eq 2 ]
}
test_a_finished_download_is_used() {
    mkdir -p .libtorch/downloads && cp "$work"/all/torch-*.whl .libtorch/downloads/ &&
        index nvidia && LIBTORCH_DEVICE=cpu libtorch && [ "$(fetched)" -eq 2 ]
}
test_an_interrupted_download_is_not_used() {
    mkdir -p .libtorch/downloads/partial &&
        head -c 400 "$work"/all/torch-*.whl >.libtorch/downloads/partial/torch-2.11.0-cp311.whl
    index nvidia && fails_libtorch "pip could not download torch==2.11.0.*network"
}
test_a_damaged_wheel_is_deleted() {
    mkdir -p .libtorch/downloads && cp "$work"/all/torch-*.whl .libtorch/downloads/
    wheel=$(echo .libtorch/downloads/*) && head -c 400 "$wheel" >short && mv short "$wheel"
    index all && LIBTORCH_DEVICE=cpu && export LIBTORCH_DEVICE &&
        fails_libtorch "was damaged" && [ ! -e "$wheel" ] && libtorch && [ "$(fetched)" -eq 3 ]
}
test_cuda_lies_beside_what_is_linked() {
    download_all && LIBTORCH_DEVICE=cuda libtorch &&
        [ ! -e .libtorch/lib/libtorch_cuda.so ] && [ -e .libtorch/lib/libtorch_cuda_linalg.so ] &&
        [ "$(cat .libtorch/cuda_library_path)" = "$PWD/.libtorch/cuda/lib/libtorch_cuda.so" ] &&
        [ -f .libtorch/cuda/lib/libtorch_cuda.so ] && [ -f .libtorch/cuda/lib/libc10_cuda.so ] &&
        [ -f .libtorch/nvidia/cu13/lib/libnvperf_host.so ]
}
test_cpu_after_cuda_hides_cuda_and_downloads_nothing() {
    download_all && LIBTORCH_DEVICE=cuda libtorch && index none && LIBTORCH_DEVICE=cpu libtorch &&
        [ ! -e .libtorch/cuda_library_path ]
}
test_a_driver_asks_for_cuda() {
    mkdir bin && printf '#!/bin/sh\n' >bin/nvidia-smi && chmod +x bin/nvidia-smi
    download_all && PATH="$PWD/bin:$PATH" libtorch && [ -e .libtorch/cuda_library_path ]
}
test_an_unknown_device_is_refused() {
    LIBTORCH_DEVICE=gpu && export LIBTORCH_DEVICE &&
        fails_libtorch "LIBTORCH_DEVICE is 'gpu'; allowed are 'cpu' and 'cuda'"
}
test_an_own_libtorch_is_left_alone() {
    mkdir -p own/include own/lib && : >own/lib/libtorch_cpu.so
    index none && LIBTORCH=$PWD/own libtorch && [ ! -e .libtorch ]
}
test_an_own_libtorch_is_checked() {
    mkdir -p own/include && LIBTORCH=$PWD/own && export LIBTORCH &&
        fails_libtorch "no $PWD/own/lib/libtorch_cpu.so" && [ ! -e .libtorch ]
}
test_too_little_disk_is_said() {
    index all && patched "import shutil, types
shutil.disk_usage = lambda path: types.SimpleNamespace(free=7_000_000)"
    fails_libtorch "has 7 MB of free disk.* need about [0-9]* MB"
}
test_missing_pip_is_said() {
    patched "import importlib.util as u; u.find_spec = lambda name: None"
    fails_libtorch "has no pip"
}
test_an_unknown_machine_is_said() {
    patched "import platform; platform.machine = lambda: 'riscv64'"
    fails_libtorch "no libtorch 2.11.0 wheel for this linux on riscv64"
}

# The tools that setup.sh asks for, as stubs; a test takes one away or makes it old.
tools() {
    mkdir bin && for tool in sh sed dirname wc grep; do ln -s "$(command -v $tool)" bin/; done
    for tool in c++ cc; do stub $tool ''; done
    stub cargo 'if [ "$1" = --version ]; then echo "cargo 1.95.0 (0 2026-01-01)"; fi'
    stub rustc 'echo "host: x86_64-unknown-linux-gnu"'
    stub python3 "exec '$python' \"\$@\""
}
stub() {
    rm -f "bin/$1" && printf '#!/bin/sh\n%s\n' "$2" >"bin/$1" && chmod +x "bin/$1"
}
setup() { (unset PYTHON && PATH="$PWD/bin" sh scripts/setup.sh "$@") >out 2>err; }
fails_setup() {
    setup --linters
    fails_with $? "$1"
}

test_setup_with_all_tools_succeeds() { tools && index all && LIBTORCH_DEVICE=cpu setup --linters; }
test_missing_cargo_is_said() { tools && rm bin/cargo && fails_setup "no working 'cargo'"; }
test_old_cargo_is_said() {
    tools && stub cargo 'echo "cargo 1.70.0 (0)"' && fails_setup "Rust 1.70, but 1.[0-9]* or newer"
}
test_missing_linter_is_said() {
    tools && stub cargo '[ "$1" != clippy ] && echo "cargo 1.95.0 (0)"'
    fails_setup "no 'cargo clippy'"
}
test_missing_compiler_is_said() { tools && rm bin/c++ && fails_setup "no C++ compiler 'c++'"; }
test_missing_python_is_said() { tools && rm bin/python3 && fails_setup "no 'python3'"; }
test_old_python_is_said() {
    tools && stub python3 '[ "$1" = --version ] && echo "Python 3.8.1"'
    fails_setup "'python3' is Python 3.8.1, but Python 3.9"
}
test_missing_network_for_crates_is_said() {
    tools && index all && LIBTORCH_DEVICE=cpu && export LIBTORCH_DEVICE
    stub cargo 'case $1 in
        fetch) echo "error: failed to download from the registry" >&2; exit 101 ;;
        *) echo "cargo 1.95.0 (0)" ;;
    esac'
    fails_setup "cargo could not download the crates: check the network"
}

mkdir "$work/none"
"$python" "$here/make_wheels.py" "$work/all"
"$python" "$here/make_wheels.py" "$work/torch" torch
"$python" "$here/make_wheels.py" "$work/nvidia" nvidia-cuda-runtime nvidia-cuda-cupti

passed=0 failed=0
for test in $(sed -n 's/^\(test_[a-z_]*\)() {.*/\1/p' "$0"); do
    folder=$work/tests/$test
    mkdir -p "$folder/scripts"
    cp "$project"/scripts/* "$folder/scripts/" 2>/dev/null
    cp "$project/Cargo.toml" "$folder/"
    if (cd "$folder" && $test); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $test"
        (cd "$folder" && head -n 20 out err)
    fi
done
echo "set-up: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
