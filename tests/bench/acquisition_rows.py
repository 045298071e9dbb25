"""Measurements of live acquisition: planes are played into a real server at a steady rate."""

import json
import os
import signal
import threading

import programs
import service
from rows import Row


def _play(server, kill_after=None, **options):
    """What the player tells. `kill_after`: after so many seconds one of the workers is killed."""
    killer = None
    if kill_after is not None:
        (worker,) = server.workers()
        killer = threading.Timer(kill_after, os.kill, (worker, signal.SIGKILL))
        killer.start()
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    try:
        told = json.loads(programs.run("deconvoy-acquisition", "--server", server.address, *arguments))
    finally:
        if killer:
            killer.cancel()
    if told["state"] != "SUCCEEDED":
        raise programs.Failed(f"the live job is {told['state']}")
    return told


def _play_through_the_library(server, planes, extent, rate):
    """What the example tells of a recording that goes through AcquisitionStream."""
    return json.loads(programs.run("deconvoy-microscope-example", "--json", "--server", server.address, "--shape",
                                   f"1,1,{planes},{extent},{extent}", "--planes-per-second", rate))


def acquisition(options):
    """Planes played into a server: how long the sender is held up, the first finished box, and the end after the last plane."""
    extent, planes, rate = (64, 40, 40) if options.quick else (512, 60, 5)
    recording = dict(planes=planes, extent=extent, rate=rate)
    with service.Server(options.folder / "acquisition" / "server", options.cache, threads=options.threads) as server:
        _play(server, **recording)  # plans transforms
        usual = f"{planes} planes of {extent}x{extent} at {rate} per second"
        for percent in (None, 50, 75, 85):
            told = _play(server, percent and planes / rate * percent / 100, **recording)
            name = usual + (f", the worker killed after {percent} % of it" if percent else "")
            yield Row(f"{name}: sender held up, 99th percentile", told["held_up_p99_ms"], unit="ms", bound=50, details=told)
            yield Row(f"{name}: acknowledged, 99th percentile", told["acknowledged_p99_ms"], unit="ms")
            yield Row(f"{name}: first box before the last plane", told["first_box_before_last_plane_s"], unit="s", bound=0,
                      at_least=True)
            if told["tile_s"] > 0:
                yield Row(f"{name}: end after the last plane", told["end_after_last_plane_s"] / told["tile_s"],
                          unit="times a tile", bound=1.5, details=told)
        told = _play_through_the_library(server, **recording)
        name = f"{usual}, through AcquisitionStream"
        yield Row(f"{name}: Push, 99th percentile", told["push_ms"]["p99"], unit="ms", bound=50, details=told)
        yield Row(f"{name}: acknowledged, 99th percentile", told["acknowledged_ms"]["p99"], unit="ms")
        fast = dict(planes=planes, extent=128 if options.quick else 1024, rate=rate * 10)
        told = _play(server, **fast)
        name = f"{planes} planes of {fast['extent']}x{fast['extent']} at {fast['rate']} per second"
        yield Row(f"{name}: sender held up, 99th percentile", told["held_up_p99_ms"], unit="ms", bound=50, details=told)
        yield Row(f"{name}: chunks lost", told["chunks_sent"] - told["chunks_acknowledged"], bound=0)
        if told["computing_s"] > 0:
            yield Row(f"{name}: end after the last plane", told["end_after_last_plane_s"] / told["computing_s"],
                      unit="times computing all of it", bound=1.2, details=told)
        series = dict(psf="widefield", times=3, **recording)
        told = _play(server, **series)
        name = f"3 time points of {planes} planes of {extent}x{extent}, widefield, at {rate} per second"
        yield Row(f"{name}: the first is done before the last plane of the third", told["first_time_point_before_last_plane_s"],
                  unit="s", bound=0, at_least=True, details=told)
        if told["tile_s"] > 0:
            yield Row(f"{name}: end after the last plane", told["end_after_last_plane_s"] / told["tile_s"], unit="times a tile")
