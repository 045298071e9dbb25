"""The built programs, and one run of them."""

import json
import pathlib
import platform
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parents[2]
BIN = PROJECT / "build" / "release" / "bin"  # where the programs lie; set by --bin


class Failed(Exception):
    """A program did not do what was asked of it."""


def require():
    missing = [name for name in ("deconvoy", "deconvoyd", "deconvoy-worker", "deconvoy-bench") if not (BIN / name).exists()]
    if missing:
        raise Failed(f"{', '.join(missing)} not in {BIN}; run deploy/build.sh release")


def run(name, *arguments):
    """Standard output of a program that must succeed."""
    command = [str(BIN / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def bench(*arguments):
    """What a subcommand of deconvoy-bench measured."""
    return json.loads(run("deconvoy-bench", *arguments, "--json", "-"))


def machine():
    """What figures depend on."""
    cpu, memory = {}, 0
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        cpu.setdefault(name.strip(), value.strip())
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            memory = int(line.split()[1]) * 1024
    flags = cpu.get("flags", "").split()
    return {
        "processor": cpu.get("model name", platform.processor()),
        "family": cpu.get("cpu family", ""),
        "model": cpu.get("model", ""),
        "processors": pathlib.Path("/proc/cpuinfo").read_text().count("processor\t:"),
        "vectors": "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "",
        "memory_bytes": memory,
        "system": platform.platform(),
        "deconvoy": run("deconvoy", "--version").strip(),
    }
