#!/usr/bin/env python3
"""Richardson-Lucy as plain array code in PyTorch, on the same padded size, to measure against.

    gpu_array_code.py EXTENT PSF ITERATIONS     cubes; prints one JSON object
"""

import json
import sys
import time

import torch


def main() -> None:
    extent, psf_extent, iterations = (int(argument) for argument in sys.argv[1:])
    shape = (extent,) * 3
    measured = extent - psf_extent + 1
    torch.manual_seed(1)
    axis = torch.arange(psf_extent, device="cuda") - psf_extent // 2
    line = torch.exp(-((axis / (psf_extent / 8)) ** 2) / 2)
    psf = line[:, None, None] * line[None, :, None] * line[None, None, :]
    field = torch.zeros(shape, device="cuda")
    field[:psf_extent, :psf_extent, :psf_extent] = psf / psf.sum()
    otf = torch.fft.rfftn(torch.roll(field, (-(psf_extent // 2),) * 3, (0, 1, 2)))
    y = torch.zeros(shape, device="cuda")
    y[:measured, :measured, :measured] = 10 + 400 * torch.rand((measured,) * 3, device="cuda")
    mask = torch.zeros(shape, device="cuda")
    mask[:measured, :measured, :measured] = 1

    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfftn(torch.fft.rfftn(x) * otf, s=shape)

    def backward(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfftn(torch.fft.rfftn(x) * otf.conj(), s=shape)

    weights = backward(mask).clamp_min(1e-6)
    x = torch.full(shape, float(y.mean()), device="cuda")

    def run(count: int) -> float:
        nonlocal x
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            ratio = mask * y / (forward(x) + 5).clamp_min(1e-6)
            x = x * backward(ratio) / weights
        torch.cuda.synchronize()
        return time.perf_counter() - start

    run(3)
    torch.cuda.reset_peak_memory_stats()
    seconds = run(iterations) / iterations
    print(json.dumps({
        "seconds_per_iteration": seconds,
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "bytes_per_padded_voxel": torch.cuda.max_memory_allocated() / extent**3,
        "torch": torch.__version__,
    }))


main()
