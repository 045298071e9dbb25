"""Measurements of the whole service: real servers, workers and command line."""

import math
import statistics
import time

import programs
import service
from rows import Row, median_row

PSF = ["--psf-centre", "geometric", "--psf-energy", "1"]


def _extents(text):
    return [int(n) for n in text.split(",")]


def memory(options):
    """What a worker takes for a tile: peak resident set less that of the idle worker, over the padded voxels."""
    folder = options.folder / "memory"
    shape, extent = ("32,96,96", 15) if options.quick else ("64,512,512", 61)
    raw = service.simulate(folder / "volume", shape)
    psf = folder / "psf.tif"
    service.write_psf(psf, extent)
    for acceleration, bound in (("none", 17), ("heavy-ball", 21)):
        samples = []
        for i in range(options.samples):
            with service.Server(folder / f"{acceleration}-{i}", options.cache, threads=options.threads) as server:
                (worker,) = server.workers()
                idle = service.memory_of(worker, "VmRSS")
                job = server.deconvolve(raw, psf, *PSF, "--tile", "none", "--iterations", 3, "--set", f"acceleration={acceleration}")
                samples.append((service.memory_of(worker, "VmHWM") - idle) / job.padded_voxels)
        yield median_row(f"worker's memory, acceleration {acceleration}, {shape}", samples, unit="bytes per padded voxel",
                         bound=bound)


def two_workers(options):
    """Tiles per second of one job with one worker and with two, of one thread each, over the time of the tiles: tiles of
    whole rows, as plans prefer them, and tiles of short ones, which are dear to store; and the time of the job as planned."""
    folder = options.folder / "two-workers"
    shape, whole_rows, short_rows = (("16,128,128", "16,32,128", "16,64,64") if options.quick else
                                     ("64,512,1024", "64,64,1024", "64,128,128"))
    raw = service.simulate(folder / "volume", shape)
    psf = folder / "psf.tif"
    service.write_psf(psf, 15)
    cuts = {f"tiles of {whole_rows}": ["--tile", whole_rows], f"tiles of {short_rows}": ["--tile", short_rows], "as planned": []}
    rates = {cut: {1: [], 2: []} for cut in cuts}
    with service.Server(folder / "one", options.cache, workers=1) as one, service.Server(folder / "two", options.cache, workers=2) as two:
        for i in range(options.samples + 1):
            for cut, tile in cuts.items():
                for workers, server in ((1, one), (2, two)):
                    job = server.deconvolve(raw, psf, *PSF, *tile, "--iterations", 10)
                    if i > 0:  # the first ones plan
                        rates[cut][workers].append((job.tiles if tile else 1) / job.seconds)
    for cut, of in rates.items():
        for workers, samples in of.items():
            yield median_row(f"{workers} worker{'s' if workers > 1 else ''} of one thread, {cut}", samples,
                             unit="tiles per second" if cuts[cut] else "jobs per second")
        yield Row(f"two workers / one, {cut}", statistics.median(of[2]) / statistics.median(of[1]),
                  bound=1.85 if whole_rows in cut else None, at_least=True, samples=[b / a for a, b in zip(of[1], of[2])])


def run(options):
    """`deconvoy run` on a running server with a camera's counts against the bare engine on as many voxels, in turn."""
    folder = options.folder / "run"
    shape, extent = ("16,96,96", 15) if options.quick else ("64,512,512", 61)
    iterations = 20
    raw = service.simulate(folder / "volume", shape, dtype="u16")
    psf = folder / "psf.tif"
    service.write_psf(psf, extent)
    whole, solved = [], []
    with service.Server(folder / "server", options.cache, threads=options.threads) as server:
        for i in range(options.samples + 1):
            start = time.monotonic()
            server.cli("run", raw, "--psf", psf, "-o", folder / "out.tif", *PSF, "--tile", "none", "--iterations", iterations, "--quiet")
            seconds = time.monotonic() - start
            figures = programs.bench("solve", "--shape", shape, "--psf", f"{extent},{extent},{extent}", "--threads", options.threads,
                                     "--iterations", iterations, "--wisdom-folder", options.cache)
            if i > 0:  # the first one plans
                whole.append(seconds)
                solved.append(figures)
    bare = [figures["seconds"] for figures in solved]
    yield median_row(f"bare engine, {shape}, {iterations} iterations", bare, unit="s", details={"runs": solved})
    yield median_row(f"deconvoy run on a running server, {shape}", whole, unit="s")
    yield Row("run / bare engine", statistics.median(whole) / statistics.median(bare), bound=1.05,
              samples=[a / b for a, b in zip(whole, bare)])


def big_volume(options):
    """A volume far larger than the worker's budget against one that fits, with the same PSF, on one server."""
    folder = options.folder / "big-volume"
    big, small, budget_mib = ("64,256,256", "64,64,64", 64) if options.quick else ("400,1024,1024", "256,256,256", 2000)
    content = ["--kind", "beads", "--psf-fwhm-um", "0.94,0.33,0.33"]  # quickly drawn; sigma 4, 1.4, 1.4 voxels
    stacks = {shape: service.simulate(folder / shape, shape, *content) for shape in (small, big)}
    nanoseconds = {small: [], big: []}
    with service.Server(folder / "server", options.cache, threads=options.threads, memory_mib=budget_mib) as server:
        (worker,) = server.workers()
        for i in range(options.samples + 1):
            for shape, raw in stacks.items():
                if i == 0 and shape == big:
                    continue
                job = server.deconvolve(raw, raw.parent / "psf.ome.tif", "--iterations", 5)
                if i > 0:  # the first one plans
                    nanoseconds[shape].append(job.seconds / math.prod(_extents(shape)) * 1e9)
        yield Row(f"{big} under a budget of {budget_mib} MiB: peak resident set of the worker",
                  service.memory_of(worker, "VmHWM") / service.MIB, unit="MiB", bound=budget_mib)
    for shape, samples in nanoseconds.items():
        yield median_row(f"{shape}, 5 iterations", samples, unit="ns per voxel")
    yield Row(f"time per voxel, {big} / {small}", statistics.median(nanoseconds[big]) / statistics.median(nanoseconds[small]),
              bound=1.15)


def transfer(options):
    """A volume to a server and back, with checksums and digest, against a bare gRPC stream of the same chunks in the same run."""
    mib = 16 if options.quick else 2048
    folder = options.folder / "transfer"
    with service.Server(folder / "server", options.cache, workers=0) as server:
        measured = programs.bench("transfer", "--server", server.address, "--mib", mib, "--repeats", options.samples,
                                  "--disk", folder)
    rates = {name: measured[f"{name}_mib_per_second"] for name in ("bare", "disk", "upload", "download")}
    for name, samples in rates.items():
        yield median_row(f"{name} of {mib} MiB", samples, unit="MiB/s")
    yield Row("bare stream with a digest at each end / bare stream, by the processors' time", measured["allowed_ratio"])
    for name, bound in (("upload", 0.6), ("download", 0.6)):
        yield Row(f"{name} / bare stream", measured[f"{name}_ratio"], bound=bound, at_least=True)
    yield median_row("the same volume again, found by its digest", measured["again_seconds"], unit="s")


def streams(options):
    """Peak resident set of a server with 32 uploads and 32 downloads at once, half of the readers stalled."""
    mib, count = (2, 4) if options.quick else (64, 32)
    folder = options.folder / "streams"
    with service.Server(folder / "server", options.cache, workers=0) as server:
        programs.bench("streams", "--server", server.address, "--mib", mib, "--streams", count)
        yield Row(f"server with {count} uploads and {count} downloads", service.memory_of(server.pid, "VmHWM") / 1e6, unit="MB",
                  bound=150)


def clients(options):
    """Unary calls of 200 clients that submit small jobs and watch them to their end, and whether any call fails."""
    count, seconds = (8, 1) if options.quick else (200, 60)
    with service.Server(options.folder / "clients" / "server", options.cache, threads=options.threads) as server:
        told = programs.bench("clients", "--server", server.address, "--clients", count, "--seconds", seconds)
    name = f"{count} clients for {seconds} s"
    yield Row(f"{name}: errors", sum(told["errors"].values()), bound=0, details=told)
    yield Row(f"{name}: jobs per second", told["calls"]["Watch"]["calls"] / told["seconds"])
    yield Row(f"{name}: unary calls, 99th percentile", 1e3 * told["unary_p99_seconds"], unit="ms")
    for rpc in ("Submit", "Get", "Delete"):
        yield Row(f"{name}: {rpc}, median", 1e3 * told["calls"][rpc]["median_seconds"], unit="ms")
        yield Row(f"{name}: {rpc}, 99th percentile", 1e3 * told["calls"][rpc]["p99_seconds"], unit="ms")
