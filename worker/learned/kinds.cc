#include <algorithm>
#include <array>

#include "worker/learned/network.h"

namespace deconvoy::worker::learned {
namespace {

constexpr std::array<NetworkKind, 10> kKinds{
    NetworkKind{.name = "rln",
                .structure = "One step of Richardson-Lucy with learned kernels, on a coarse and on the original grid",
                .citation = "Y. Li et al., Nat. Methods 19 (2022) 1427",
                .parameters = 15904,
                .step = 2,
                .halo = 18,
                .bytes_per_voxel = 260,
                .training_bytes_per_voxel = 2400},
    NetworkKind{.name = "dncnn3d",
                .structure = "Finds the noise with eight convolutions and takes it off; for plug and play",
                .citation = "K. Zhang et al., IEEE Trans. Image Process. 26 (2017) 3142",
                .parameters = 42768,
                .purpose = Purpose::kDenoise,
                .halo = 8,
                .bytes_per_voxel = 210,
                .training_bytes_per_voxel = 1600,
                .plain_only = true},
    NetworkKind{.name = "srcnn",
                .structure = "Three convolutions in two dimensions, plane by plane",
                .citation = "C. Dong et al., ECCV (2014) 184",
                .parameters = 8129,
                .halo = 6,
                .bytes_per_voxel = 1400,
                .training_bytes_per_voxel = 1800},
    NetworkKind{.name = "isonet1",
                .structure = "Four convolutions in two dimensions on slices that contain the axis",
                .citation = "M. Weigert et al., MICCAI (2017) 126",
                .parameters = 57283,
                .halo = 8,
                .bytes_per_voxel = 1320,
                .training_bytes_per_voxel = 2400,
                .axial_slices = true},
    NetworkKind{.name = "isonet2",
                .structure = "Convolutions in two dimensions at three scales on slices that contain the axis",
                .citation = "M. Weigert et al., MICCAI (2017) 126",
                .parameters = 251841,
                .step = 4,
                .halo = 36,
                .bytes_per_voxel = 720,
                .training_bytes_per_voxel = 2500,
                .axial_slices = true},
    NetworkKind{.name = "care-unet3d",
                .structure = "U-Net with three scales",
                .citation = "M. Weigert et al., Nat. Methods 15 (2018) 1090",
                .parameters = 996769,
                .step = 4,
                .halo = 24,
                .bytes_per_voxel = 1500,
                .training_bytes_per_voxel = 3300},
    NetworkKind{.name = "rcan3d",
                .structure = "Residual convolutions whose channels are weighed by their local means",
                .citation = "J. Chen et al., Nat. Methods 18 (2021) 678",
                .parameters = 77681,
                .halo = 29,
                .bytes_per_voxel = 720,
                .training_bytes_per_voxel = 3500},
    NetworkKind{.name = "ddn",
                .structure = "Three blocks of convolutions, each of which sees all before it",
                .citation = "M. Guo et al., Nat. Biotechnol. 38 (2020) 1337",
                .parameters = 12461,
                .halo = 10,
                .bytes_per_voxel = 600,
                .training_bytes_per_voxel = 3700},
    NetworkKind{.name = "unrolled-admm",
                .structure = "Four iterations of ADMM with the PSF and learned penalties and proximal steps",
                .citation = "Y. Yang et al., NIPS (2016) 10",
                .parameters = 1764,
                .halo = 8,
                .bytes_per_voxel = 440,
                .training_bytes_per_voxel = 2600,
                .knows_psf = true,
                .plain_only = true},
    NetworkKind{.name = "unrolled-ista",
                .structure = "Four iterations of iterative shrinkage with the PSF and learned steps and transforms",
                .citation = "J. Zhang and B. Ghanem, CVPR (2018) 1828",
                .parameters = 1764,
                .halo = 8,
                .bytes_per_voxel = 440,
                .training_bytes_per_voxel = 2600,
                .knows_psf = true,
                .plain_only = true},
};

}  // namespace

std::span<const NetworkKind> AllNetworks() {
  return kKinds;
}

const NetworkKind* FindNetwork(std::string_view name) {
  const auto* kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const NetworkKind& k) { return k.name == name; });
  return kind == kKinds.end() ? nullptr : kind;
}

}  // namespace deconvoy::worker::learned
