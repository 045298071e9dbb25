// How an image was taken, as far as its file tells.
#pragma once

#include <string>
#include <vector>

namespace deconvoy::imageio {

// Of one channel, in OME's words; empty where the file does not say.
struct ChannelAcquisition {
  std::string mode = {};          // AcquisitionMode, such as `WideField`
  std::string contrast = {};      // ContrastMethod, such as `Fluorescence`
  std::string illumination = {};  // IlluminationType, such as `Epifluorescence`
  double pinhole_um = 0;          // diameter as it is in the microscope; 0 if unknown
  std::string detector = {};      // Type, such as `CMOS` or `PMT`
  double detector_offset = 0;     // of the detector, in a unit that OME leaves open; 0 if unknown
};

// Of the image. Numbers are 0, and texts empty, where the file does not say.
struct Acquisition {
  double na = 0;                                  // of the objective
  double magnification = 0;                       // likewise, nominal or calibrated
  std::string immersion = {};                     // OME's word, such as `Oil`
  double ri_immersion = 0;                        // refractive index of the immersion
  std::vector<ChannelAcquisition> channels = {};  // empty, or one per channel
};

}  // namespace deconvoy::imageio
