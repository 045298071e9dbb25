"""Measurements of parts of the programs: deconvoy-bench."""

import statistics

import programs
from rows import Row, median_row

# Volume; of the padded sizes that hold it and its margin that at which FFTW's transforms are fastest; bound; samples for
# each one asked for, as short ones vary.
ITERATIONS = [
    ("64,512,512", "128,576,576", 0.85, 3),
    ("256,256,256", "320,320,320", 1.0, 3),
    ("32,2048,2048", "96,2160,2160", 0.75, 1),
]
QUICK_ITERATIONS = [("16,64,64", "same", None, 1)]

# What deconvoy-bench calls it; what it is; bound in seconds.
PSFS = [
    ("vectorial", "vectorial PSF of 128^3", 2),
    ("Gibson-Lanni, 10 um deep", "Gibson-Lanni PSF of 128x256x256", 1),
]


def _case(options):
    return ["--threads", options.threads] + (["--psf", "9,13,13"] if options.quick else ["--psf", "61,61,61"])


def iteration(options):
    """A heavy-ball iteration against FFTW's four transforms, each with symmetric and asymmetric PSFs."""
    for shape, baseline, bound, times in QUICK_ITERATIONS if options.quick else ITERATIONS:
        for kind in ("asymmetric", "symmetric"):
            r = programs.bench("iteration", "--shape", shape, "--psf-kind", kind, "--baseline-padded", baseline, "--repeats",
                               times * options.samples, "--wisdom", options.wisdom, *_case(options))
            yield Row(f"heavy-ball iteration / four FFTW transforms, {shape}, {kind} PSF", r["ratio"], bound=bound,
                      samples=[a / b for a, b in zip(r["iteration_seconds"], r["four_transforms_seconds"])], details=r)


def first_job(options):
    """Planning and iterations of the first job of a size; a process for each sample."""
    shape = "16,64,64" if options.quick else "64,512,512"
    runs = [programs.bench("first-job", "--shape", shape, *_case(options)) for _ in range(options.samples)]
    yield median_row(f"first job of a size: planning, {shape}", [r["planning_seconds"] for r in runs], unit="s", bound=2)
    yield median_row("first job of a size: its iterations / those of later jobs", [r["ratio"] for r in runs], bound=1.2,
                     details={"runs": runs})


def operations(options):
    """Bytes that must move, per second, over a memory copy."""
    domain = "32,64,64" if options.quick else "128,576,576"
    r = programs.bench("operations", "--domain", domain, "--repeats", options.samples, *_case(options))
    copy = r["memory_copy_bytes_per_second"]
    yield Row(f"memory copy, {options.threads} threads", copy / 1e9, unit="GB/s", details=r)
    for operation in r["operations"]:
        samples = [operation["of_copy"] * statistics.median(operation["samples_seconds"]) / s for s in operation["samples_seconds"]]
        yield Row(f"{operation['name']}: bandwidth / memory copy", operation["of_copy"], samples=samples)
    for loop in r["element_loops"]:
        yield Row(f"element loop, {loop['name']}", loop["nanoseconds_per_element"], unit="ns per element",
                  samples=[s / r["row"] * 1e9 for s in loop["samples_seconds"]])


def scaling(options):
    """Time per voxel and iteration over the size of the domain."""
    largest = ["--largest", "3"] if options.quick else []
    r = programs.bench("scaling", "--repeats", options.samples, "--threads", options.threads, *largest)
    for size in r["sizes"]:
        samples = [s / size["million_voxels"] * 1e3 for s in size["iteration_seconds"]]
        yield Row(f"{size['million_voxels']:.0f} million voxels, one iteration", size["nanoseconds_per_voxel"],
                  unit="ns per voxel", samples=samples, details=size)
    for size in r["left_out"]:
        yield Row(f"{size['extent'] ** 3 / 1e6:.0f} million voxels, one iteration", note=f"left out: {size['why']}")


def _light_sheet_rows(r):
    what = f"light sheet, background {r['background']:g}, Wiener-Butterworth with heavy-ball"
    if not r["available"]:
        yield Row(what, note=f"not available: {r['why']}")
        return
    for boundary in ("periodic", "extend"):
        figures = r[boundary]
        plain, needed = figures["plain"], figures["iterations_needed"]
        yield Row(f"{what}, {boundary}: iterations for the correlation of {plain['iterations']} plain ones", needed, bound=6,
                  details=figures, note="" if needed else f"not reached in {figures['fast'][-1]['iterations']}")
        at = [f for f in figures["fast"] if f["iterations"] == (needed or 6)]
        yield Row(f"{what}, {boundary}: light that is missing or too much", abs(at[0]["light"] - 1) * 100, unit="%", bound=2,
                  note=f"plain ones: {abs(plain['light'] - 1) * 100:.1f} %")


def quality(options):
    """Variants of rl against plain iterations."""
    quick = ["--shape", "16,48,48", "--most-iterations", "6", "--plain-iterations", "10"] if options.quick else []
    r = programs.bench("quality", "--threads", options.threads, "--repeats", options.samples, *quick, "--bars",
                       programs.PROJECT.parent / "shared" / "data" / "dvbars")
    yield from _light_sheet_rows(r["light_sheet"])
    scene = quick[:4] if options.quick else []
    lit = programs.bench("quality", "--scene", "light-sheet", "--background", 10, "--threads", options.threads, *scene)
    yield from _light_sheet_rows(lit["light_sheet"])
    bars = r["bars"]
    what = "dvbars: time of plain iterations / of heavy-ball to the same I-divergence"
    if not bars["available"]:
        yield Row(what, note=f"SKIPPED: {bars['why']}")
        return
    samples = [a / b for a, b in zip(bars["plain_seconds"], bars["heavy_ball_seconds"])]
    yield Row(what, bars["ratio"], bound=3.5, at_least=True, samples=samples, details=bars)


def methods(options):
    """An iteration of every method over one of rl on the same volume."""
    shape = ["--shape", "16,64,64"] if options.quick else []
    r = programs.bench("methods", "--repeats", options.samples, *shape, *_case(options))
    for method in r["methods"]:
        what = "an iteration" if method["iterates"] else "a whole run"
        yield Row(f"{method['name']}: {what} / an iteration of rl", method["over_rl"],
                  samples=[s / method["rl_seconds"] for s in method["samples_seconds"]], details=method)


def resolution(options):
    """What every method tells apart: the dip between two points at the Rayleigh distance, and the width of a bead."""
    only = ["--method", "rl"] if options.quick else []
    r = programs.bench("resolution", "--threads", options.threads, *only)
    for row in r["rows"]:
        dip = next(dip["dip"] for dip in row["dips"] if dip["rayleigh"] == 1)
        yield Row(f"{row['name']}: dip between two points at the Rayleigh distance", dip, details=row)
        yield Row(f"{row['name']}: width of a bead of 3 voxels", row["bead_x"], unit="voxels")


def psf(options):
    """Seconds to compute a PSF from optics, on one core."""
    r = programs.bench("psf", "--threads", 1, "--repeats", options.samples)
    cases = {case["name"]: case for case in r["cases"]}
    for name, what, bound in PSFS:
        yield Row(f"{what}, seconds on one core", cases[name]["median"], unit="s", bound=bound, samples=cases[name]["seconds"],
                  details=cases[name], note="the bound is in seconds, on any machine")


def queue(options):
    """A worker's call at a server on which a hundred thousand tasks wait."""
    size = ["--jobs", 20, "--tasks-per-job", 10, "--calls", 20] if options.quick else []
    r = programs.bench("queue", *size)
    yield median_row(f"Synchronize with {r['tasks']} tasks of {r['jobs']} jobs waiting",
                     [1e3 * seconds for seconds in r["synchronize_seconds"]], unit="ms", bound=5, details=r)
