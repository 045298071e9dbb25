"""A server with its workers on a Unix socket, for measurements; and the stacks that are sent to it."""

import array
import datetime
import json
import math
import pathlib
import re
import struct
import subprocess
import time

import programs

MIB = 1 << 20
PATIENCE_SECONDS = 60


def write_psf(path, extent):
    """An asymmetric PSF of `extent` voxels along each axis as a float TIFF: sheared, with more light on one side."""
    half, width = extent // 2, extent / 8

    def light(z, y, x):
        x -= 0.5 * z
        r = z * z + y * y + x * x
        return (math.exp(-r / 2) + 1e-4 / (1 + r)) * (1 + 0.5 * math.tanh(z + y + x))

    places = [(i - half) / width for i in range(extent)]
    planes = [array.array("f", [light(z, y, x) for y in places for x in places]).tobytes() for z in places]
    write_tiff(path, planes, extent, extent)


def write_tiff(path, planes, rows, columns):
    """A little-endian TIFF of 32-bit floats, a directory and a strip for each plane."""
    out, position = bytearray(struct.pack("<2sHI", b"II", 42, 8)), 8
    for i, plane in enumerate(planes):
        # tag, type (3: 16 bits, 4: 32 bits), value: width, length, bits, compression, black is zero, strip, samples, rows,
        # bytes of the strip, format float
        entries = [(256, 4, columns), (257, 4, rows), (258, 3, 32), (259, 3, 1), (262, 3, 1), (273, 4, 0), (277, 3, 1),
                   (278, 4, rows), (279, 4, len(plane)), (339, 3, 3)]
        size = 2 + 12 * len(entries) + 4
        data = position + size
        out += struct.pack("<H", len(entries))
        for tag, kind, value in entries:
            out += struct.pack("<HHII", tag, kind, 1, data if tag == 273 else value)
        position = data + len(plane)
        out += struct.pack("<I", 0 if i + 1 == len(planes) else position) + plane
    pathlib.Path(path).write_bytes(out)


def simulate(folder, shape, *more, dtype="f32"):
    """The image of a synthetic specimen."""
    programs.run("deconvoy", "simulate", "-o", folder, "--shape", shape, "--dtype", dtype, "--seed", 7, "--voxel-um", "0.1,0.1,0.1",
                 "--local", "--quiet", *more)
    (folder / "truth.ome.tif").unlink()
    return folder / "raw.ome.tif"


def memory_of(pid, name):
    """VmRSS (now) or VmHWM (peak) of a process, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise programs.Failed(f"process {pid} has no {name}")


class Job:
    """What the server's log says of a job's tiles."""

    def __init__(self, lines):
        tile = re.compile(r"\(token \d+\): tile .* padded (\d+)x(\d+)x(\d+)")
        starts = [line for line in lines if tile.search(line)]
        ended = [line for line in lines if line.endswith("is SUCCEEDED")]
        if not starts or not ended:
            raise programs.Failed("the server's log does not tell of a job's tiles: " + "\n".join(lines[-10:]))
        self.tiles = len(starts)
        self.padded_voxels = math.prod(int(n) for n in tile.search(starts[0]).groups())
        # From the first tile's start until the result is complete.
        self.seconds = (_time(ended[0]) - _time(starts[0])).total_seconds()


def _time(line):
    return datetime.datetime.fromisoformat(line.split()[0])


class Server:
    """`deconvoyd` with `workers` local workers. Leaves with the `with` block. `cache` keeps plans between servers."""

    def __init__(self, folder, cache, workers=1, threads=1, memory_mib=0):
        folder.mkdir()
        self._log, self._workers = folder / "log", workers
        self.state, self.address = folder / "state", f"unix:{folder / 's'}"
        self._command = [programs.BIN / "deconvoyd", "--state", self.state, "--listen", self.address, "--workers", workers,
                         "--worker-threads", threads, "--worker-memory-mib", memory_mib, "--worker-cache", cache]

    def __enter__(self):
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(list(map(str, self._command)), stdout=log, stderr=log)
        try:
            self._wait_for_workers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _wait_for_workers(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            if (self.state / "address").exists() and len(self.workers()) == self._workers:
                return
            time.sleep(0.05)
        raise programs.Failed("the server or its workers did not start: " + self._log.read_text()[-2000:])

    @property
    def pid(self):
        return self._process.pid

    def cli(self, *arguments):
        """Standard output of a verb of the command line."""
        return programs.run("deconvoy", *arguments, "--server", self.address)

    def workers(self):
        """Pids of the workers that have registered."""
        found = [json.loads(line) for line in self.cli("workers", "--json").splitlines()]
        return [worker["registration"]["process_id"] for worker in found if worker["state"] == "IDLE"]

    def deconvolve(self, raw, psf, *options):
        """Runs a job and removes it with its volumes."""
        seen = len(self._lines())
        name = self.cli("submit", raw, "--psf", psf, "--wait", "--quiet", *options).split()[0]
        job = Job([line for line in self._lines()[seen:] if name in line])
        self.cli("job", name, "--delete")
        return job

    def _lines(self):
        return self._log.read_text(encoding="utf-8").splitlines()
