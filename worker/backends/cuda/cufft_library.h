// cuFFT, loaded when it is first needed: programs start, and compute on processors, where it is not installed.
#pragma once

#include <absl/status/statusor.h>
#include <cufft.h>

namespace deconvoy::worker::cuda {

// Its functions, by their names there.
struct CufftLibrary {
  decltype(&::cufftCreate) Create;
  decltype(&::cufftDestroy) Destroy;
  decltype(&::cufftSetAutoAllocation) SetAutoAllocation;
  decltype(&::cufftMakePlanMany64) MakePlanMany64;
  decltype(&::cufftSetStream) SetStream;
  decltype(&::cufftSetWorkArea) SetWorkArea;
  decltype(&::cufftExecR2C) ExecR2C;
  decltype(&::cufftExecC2R) ExecC2R;
  decltype(&::cufftExecC2C) ExecC2C;
};

// The same object for the life of the process. Errors: FAILED_PRECONDITION with NO_WORKER, naming the library, when it
// is not there or lacks a function.
absl::StatusOr<const CufftLibrary*> LoadCufft();

}  // namespace deconvoy::worker::cuda
