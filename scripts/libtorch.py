#!/usr/bin/env python3
"""Unpack libtorch into .libtorch/ from the wheels that the Python package index serves.

`make setup` calls this after it has checked the tools. What it leaves behind:

    .libtorch/include -> torch/include      what torch-sys compiles against
    .libtorch/lib     -> torch/lib          what binaries link and load
    .libtorch/nvidia/                       NVIDIA's libraries, where the wheel's rpaths expect them
    .libtorch/cuda/lib/libtorch_cuda.so     only with CUDA, see below
    .libtorch/cuda_library_path             only with CUDA: that file's absolute path
    .libtorch/setup.json                    the parts that are completely unpacked

torch-sys links CUDA into every binary as soon as it sees lib/libtorch_cuda.so. Contrail's binary
must also run where there is no GPU, so that one file lies apart and is loaded at run time.
"""

import fcntl
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Callable, NamedTuple, Optional

TORCH = "2.11.0"  # the one version that the `tch` release in Cargo.toml is made for
PYTHON = "3.11"  # picks a wheel; any would do, because nothing of Python in it is used
ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".libtorch"
DOWNLOADS = HOME / "downloads"
BUILD_MB = 3000  # what target/ takes after `make test`
GLIBC = platform.libc_ver()[0] == "glibc"


class SetupError(Exception):
    """A sentence for the user."""


class Part(NamedTuple):
    """One wheel, and where its files go (None: nowhere) below .libtorch/."""

    name: str
    version: str
    download_mb: int
    unpacked_mb: int
    destination: Callable[[str], Optional[str]]
    flavour: str = ""

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def stamp(self) -> str:
        return self.requirement + self.flavour

    def in_place(self, stamps: list) -> bool:
        return self.stamp in stamps or f"{self.requirement}+cuda" in stamps  # CUDA holds the rest


# Of torch/lib, what no C++ program on the CPU needs. The wheel's libtorch.so links CUDA; a linker
# script takes its place.
CUDA_ONLY = ("libc10_cuda", "libcaffe2_nvrtc", "libtorch_cuda", "libtorch_nvshmem")
PYTHON_ONLY = ("libshm", "libtorch_global_deps", "libtorch_python")


def torch_cpu(member: str) -> Optional[str]:
    name = member.rsplit("/", 1)[-1]
    if member.startswith("torch/include/"):
        return member
    if member != f"torch/lib/{name}" or name == "libtorch.so":
        return None
    return None if name.startswith(CUDA_ONLY + PYTHON_ONLY) else member


def torch_cuda(member: str) -> Optional[str]:
    name = member.rsplit("/", 1)[-1]
    if name == "libtorch_cuda.so":
        return "cuda/lib/" + name
    return member if name.startswith(CUDA_ONLY) else torch_cpu(member)


def nvidia_libraries(member: str) -> Optional[str]:
    in_lib = member.startswith("nvidia/") and member.split("/")[-2:-1] == ["lib"]
    return member if in_lib and ".so" in member else None


def only(*names: str) -> Callable[[str], Optional[str]]:
    return lambda member: member if member.rsplit("/", 1)[-1] in names else None


TORCH_CPU = Part("torch", TORCH, 530, 520, torch_cpu, "+cpu")
TORCH_CUDA = Part("torch", TORCH, 530, 1040, torch_cuda, "+cuda")
# libtorch_cpu.so of that wheel links these two, GPU or not.
NVIDIA_CPU = [
    Part("nvidia-cuda-runtime", "13.0.96", 3, 1, only("libcudart.so.13"), "+cpu"),
    Part("nvidia-cuda-cupti", "13.0.85", 11, 5, only("libcupti.so.13"), "+cpu"),
]
# What torch 2.11.0's metadata requires, `cuda-toolkit[...]==13.0.2` resolved; less what only its
# Python half uses.
NVIDIA_CUDA = [
    Part("nvidia-cuda-runtime", "13.0.96", 3, 1, nvidia_libraries, "+cuda"),
    Part("nvidia-cuda-cupti", "13.0.85", 11, 50, nvidia_libraries, "+cuda"),
    Part("nvidia-cuda-nvrtc", "13.0.88", 90, 225, nvidia_libraries, "+cuda"),
    Part("nvidia-cublas", "13.1.0.3", 423, 600, nvidia_libraries, "+cuda"),
    Part("nvidia-cudnn-cu13", "9.19.0.56", 370, 500, nvidia_libraries, "+cuda"),
    Part("nvidia-cufft", "12.0.0.61", 214, 290, nvidia_libraries, "+cuda"),
    Part("nvidia-cufile", "1.15.1.6", 2, 5, nvidia_libraries, "+cuda"),
    Part("nvidia-curand", "10.4.0.35", 60, 135, nvidia_libraries, "+cuda"),
    Part("nvidia-cusolver", "12.0.4.66", 201, 250, nvidia_libraries, "+cuda"),
    Part("nvidia-cusparse", "12.6.3.3", 146, 165, nvidia_libraries, "+cuda"),
    Part("nvidia-cusparselt-cu13", "0.8.0", 170, 235, nvidia_libraries, "+cuda"),
    Part("nvidia-nccl-cu13", "2.28.9", 200, 220, nvidia_libraries, "+cuda"),
    Part("nvidia-nvjitlink", "13.0.88", 41, 100, nvidia_libraries, "+cuda"),
    Part("nvidia-nvshmem-cu13", "3.4.5", 60, 47, nvidia_libraries, "+cuda"),
]


def wants_cuda() -> bool:
    device = os.environ.get("LIBTORCH_DEVICE", "")
    if device not in ("", "cpu", "cuda"):
        raise SetupError(
            f"LIBTORCH_DEVICE is '{device}'; allowed are 'cpu' and 'cuda', or leave it unset "
            "to get CUDA where an NVIDIA driver is present."
        )
    if device == "cuda" and sys.platform != "linux":
        raise SetupError("LIBTORCH_DEVICE is 'cuda', which only Linux has; allowed here is 'cpu'.")
    driver = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()
    return device == "cuda" or (device == "" and sys.platform == "linux" and bool(driver))


def wanted_parts(cuda: bool) -> list:
    if sys.platform == "darwin":
        return [TORCH_CPU]
    return [TORCH_CUDA, *NVIDIA_CUDA] if cuda else [TORCH_CPU, *NVIDIA_CPU]


def wheel_platforms() -> list:
    """The tags of wheels that run here; given a newer tag, pip does not think of older ones."""
    machine = platform.machine()
    if sys.platform == "darwin" and machine == "arm64":
        return [f"macosx_{major}_0_arm64" for major in range(11, 15)]
    if sys.platform == "linux" and GLIBC and machine in ("x86_64", "aarch64"):
        return [f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1)] + [
            f"manylinux2014_{machine}"
        ]
    raise SetupError(
        f"There is no libtorch {TORCH} wheel for this {sys.platform} on {machine} (there are for "
        "Linux with glibc on x86_64 and aarch64, and macOS on arm64): set LIBTORCH to your own."
    )


def download(part: Part) -> Path:
    """The part's wheel below downloads/, where only finished ones ever lie."""
    pattern = f"{part.name.replace('-', '_')}-{part.version}-*.whl"
    for wheel in DOWNLOADS.glob(pattern):
        return wheel
    partial = DOWNLOADS / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    say(f"downloading {part.requirement} (about {part.download_mb} MB)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    command += [] if sys.stdout.isatty() else ["--quiet"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    command += [f"--abi=cp{PYTHON.replace('.', '')}", "--dest", str(partial), part.requirement]
    command += [f"--platform={tag}" for tag in wheel_platforms()]
    environment = {**os.environ, "TMPDIR": str(partial), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    log = HOME / "pip.log"
    with log.open("w") as stderr:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr)
    wheels = list(partial.glob(pattern))
    if done.returncode != 0 or not wheels:
        raise SetupError(
            f"pip could not download {part.requirement}: check the network connection and pip's "
            f"package index, then run this again (its own words are in {log})."
        )
    log.unlink()
    finished = DOWNLOADS / wheels[0].name
    os.replace(wheels[0], finished)
    return finished


def unpack(wheel: Path, part: Part) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                destination = None if member.endswith("/") else part.destination(member)
                if destination is None:
                    continue
                target = HOME / destination
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
    except (zipfile.BadZipFile, EOFError) as error:
        wheel.unlink()
        raise SetupError(f"{wheel.name} was damaged ({error}) and is deleted: run this again.")


def link(path: Path, target: str) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return  # a build may be reading through it just now
    if path.is_symlink() or path.exists():
        path.unlink()
    path.symlink_to(target)


def finish(cuda: bool) -> None:
    """The few files that are in no wheel."""
    if sys.platform == "linux":
        (HOME / "torch/lib/libtorch.so").write_text("INPUT(libtorch_cpu.so)\n")
    pointer = HOME / "cuda_library_path"
    if cuda:
        library = HOME / "cuda/lib/libtorch_cuda.so"
        for sibling in (HOME / "torch/lib").glob("*.so*"):
            link(library.parent / sibling.name, f"../../torch/lib/{sibling.name}")
        pointer.write_text(f"{library}\n")
    elif pointer.exists():
        pointer.unlink()
    (HOME / "build-version").write_text(TORCH + "\n")  # torch-sys compares it with its own
    link(HOME / "include", "torch/include")
    link(HOME / "lib", "torch/lib")


def check_means(missing: list) -> None:
    """Says what a download would fail for, before it starts."""
    if importlib.util.find_spec("pip") is None:
        raise SetupError(
            f"{sys.executable} has no pip, which set-up downloads libtorch with: install it "
            "(on Debian or Ubuntu: apt install python3-pip)."
        )
    # pip holds a wheel twice for a moment; a wheel is deleted before the next one is fetched.
    needed = sum(part.unpacked_mb for part in missing) + 2 * max(p.download_mb for p in missing)
    needed += BUILD_MB
    free = shutil.disk_usage(HOME).free // 1_000_000
    if free < needed:
        raise SetupError(
            f"{HOME} has {free} MB of free disk; set-up and the build need about {needed} MB."
        )


def install() -> None:
    cuda = wants_cuda()
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `make` waits, and then finds all done
        record = HOME / "setup.json"
        stamps = json.loads(record.read_text()) if record.exists() else []
        missing = [part for part in wanted_parts(cuda) if not part.in_place(stamps)]
        if missing:
            check_means(missing)
        for part in missing:
            wheel = download(part)
            unpack(wheel, part)
            stamps.append(part.stamp)
            replace_text(record, json.dumps(stamps, indent=1) + "\n")
            wheel.unlink()
        shutil.rmtree(DOWNLOADS, ignore_errors=True)
        finish(cuda)
        if missing:
            say(f"libtorch {TORCH} is in {HOME} ({'with CUDA' if cuda else 'CPU only'})")


def replace_text(path: Path, text: str) -> None:
    beside = path.with_suffix(".partial")
    beside.write_text(text)
    os.replace(beside, path)


def check_own(folder: str) -> None:
    """A user's own libtorch is checked and left as it is."""
    home = Path(folder)
    library = "libtorch_cpu.dylib" if sys.platform == "darwin" else "libtorch_cpu.so"
    for needed in (home / "include", home / "lib" / library):
        if not (home.is_absolute() and needed.exists()):
            raise SetupError(
                f"LIBTORCH is '{folder}', but there is no {needed}: give the absolute path of a "
                f"libtorch {TORCH} folder, or unset LIBTORCH to have set-up fetch one."
            )


def say(sentence: str) -> None:
    print(f"set-up: {sentence}", flush=True)


def main() -> int:
    try:
        if "LIBTORCH" in os.environ:
            check_own(os.environ["LIBTORCH"])
        else:
            install()
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: interrupted; run it again to go on where it was.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
