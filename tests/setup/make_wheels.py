"""Writes tiny wheels with the names and layout of the real ones: make_wheels.py FOLDER NAME..."""

import platform
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
sys.dont_write_bytecode = True
import libtorch

TORCH_FILES = ["include/torch/torch.h", "lib/libshm/socket.h", "__init__.py"] + [
    f"lib/{name}"
    for name in (
        "libc10.so libc10_cuda.so libcaffe2_nvrtc.so libgomp.so.1 libshm.so libtorch.so "
        "libtorch_cpu.so libtorch_cuda.so libtorch_cuda_linalg.so libtorch_python.so"
    ).split()
]
FILES = {
    "torch": [f"torch/{name}" for name in TORCH_FILES],
    "nvidia-cuda-runtime": ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/include/cuda.h"],
    "nvidia-cuda-cupti": ["nvidia/cu13/lib/libcupti.so.13", "nvidia/cu13/lib/libnvperf_host.so"],
}


def make_wheel(folder: Path, name: str, version: str) -> None:
    module = name.replace("-", "_")
    python = "cp311-cp311" if name == "torch" else "py3-none"
    tag = f"{python}-manylinux_2_28_{platform.machine()}"
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{module}-{version}-{tag}.whl", "w") as wheel:
        for file in FILES.get(name, [f"nvidia/{module}/lib/lib{module}.so.1"]):
            wheel.writestr(file, f"content of {file}")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n"
        )


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    for part in [libtorch.TORCH_CPU, *libtorch.NVIDIA_CUDA]:
        if not names or part.name in names:
            make_wheel(folder, part.name, part.version)


if __name__ == "__main__":
    main()
