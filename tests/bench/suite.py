"""Runs measurements and prints their table. Started by run.sh."""

import argparse
import datetime
import json
import os
import pathlib
import signal
import sys
import tempfile

import acquisition_rows
import engine_rows
import programs
import service_rows
from rows import Row, table

MEASUREMENTS = {
    "iteration": engine_rows.iteration,
    "memory": service_rows.memory,
    "first-job": engine_rows.first_job,
    "quality": engine_rows.quality,
    "big-volume": service_rows.big_volume,
    "two-workers": service_rows.two_workers,
    "run": service_rows.run,
    "transfer": service_rows.transfer,
    "streams": service_rows.streams,
    "clients": service_rows.clients,
    "acquisition": acquisition_rows.acquisition,
    "operations": engine_rows.operations,
    "scaling": engine_rows.scaling,
    "methods": engine_rows.methods,
    "resolution": engine_rows.resolution,
    "psf": engine_rows.psf,
    "queue": engine_rows.queue,
}


def parse(arguments):
    names = "\n".join(f"  {name:12} {function.__doc__}" for name, function in MEASUREMENTS.items())
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", epilog="measurements:\n" + names,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a measurement; all without")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write machine, date, versions and all samples here")
    parser.add_argument("--quick", action="store_true", help="tiny volumes: shows that everything runs, judges nothing")
    parser.add_argument("--samples", type=int, metavar="N", help="repeats of each figure [5, with --quick 2]")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()), metavar="N", help="of the engine [%(default)s]")
    parser.add_argument("--wisdom", type=pathlib.Path, metavar="FILE", help="keep the plans of FFTW's transforms here")
    parser.add_argument("--bin", type=pathlib.Path, default=programs.BIN, metavar="FOLDER", help="of the programs [%(default)s]")
    options = parser.parse_args(arguments)
    options.samples = options.samples or (2 if options.quick else 5)
    unknown = [name for name in options.names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement is called {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    if options.samples < 1:
        parser.error("--samples must be at least 1")
    return options


def measure(name, options):
    """The rows of one measurement; a failure is a row, too, so that the others are still measured."""
    try:
        for row in MEASUREMENTS[name](options):
            if options.quick:
                row.bound = None  # bounds are for volumes of the usual size
            print(table([row]).splitlines()[1], file=sys.stderr, flush=True)
            yield row
    except programs.Failed as error:
        yield Row(name, note=f"FAILED: {error}")


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    options = parse(sys.argv[1:])
    programs.BIN = options.bin.absolute()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    results = {}
    try:
        programs.require()
        with tempfile.TemporaryDirectory(prefix="deconvoy-bench-") as folder:
            options.folder = pathlib.Path(folder)
            os.environ["TMPDIR"] = os.environ["DECONVOY_SCRATCH"] = folder  # so that nothing stays when a program is killed
            options.wisdom = options.wisdom or options.folder / "fftw.wisdom"
            options.cache = options.folder / "cache"
            for name in options.names or MEASUREMENTS:
                print(f"== {name}", file=sys.stderr, flush=True)
                (options.folder / name).mkdir()
                results[name] = list(measure(name, options))
    except KeyboardInterrupt:
        sys.exit(130)
    except programs.Failed as error:
        sys.exit(f"run.sh: {error}")
    rows = [row for found in results.values() for row in found]
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": programs.machine(),
            "threads": options.threads,
            "samples": options.samples,
            "quick": options.quick,
            "measurements": {name: [row.as_json() for row in found] for name, found in results.items()},
        }, indent=2) + "\n", encoding="utf-8")
    return any(row.note.startswith("FAILED") for row in rows)


if __name__ == "__main__":
    sys.exit(main())
