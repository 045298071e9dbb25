// deconvoy join: stacks of one shape as the channels of one.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct JoinOptions {
  std::vector<std::string> files;
  std::string output;
  bool pad = false;
  ImageOutputOptions writing;
};

constexpr char kExamples[] = R"(  deconvoy join left.tif right.tif -o views.ome.tif
  deconvoy join left_psf.tif right_psf.tif --pad -o psfs.ome.tif
      two registered views and their PSFs, for deconvoy run views.ome.tif --psf psfs.ome.tif --method rl-multiview
  deconvoy join dapi.tif gfp.tif -o cells.ome.tif
      channels that were saved one by one)";

using Stacks = std::vector<InputImage>;

// Whether `stack` may stand beside `first`; their extents may differ where they are padded.
absl::Status CheckAlike(const v1::VolumeSpec& first, const v1::VolumeSpec& stack, bool pad) {
  const v1::Shape5 &a = first.shape(), &b = stack.shape();
  const bool same_extents = a.z() == b.z() && a.y() == b.y() && a.x() == b.x();
  if (a.t() != b.t() || !(same_extents || pad) || first.type() != stack.type()) {
    return MakeError(
        {.reason = v1::SHAPE_MISMATCH,
         .remedy = same_extents ? "Bring them to one type and to as many time points first."
                                : "Crop them alike first; PSFs may be padded with zeros about their centres (--pad)."},
        fmt::format("{}: {}, but {} has {}", Printable(stack.display_name()), ShapeText(stack),
                    Printable(first.display_name()), ShapeText(first)));
  }
  if (IsSameVoxelSize(first.voxel_size(), stack.voxel_size())) return absl::OkStatus();
  const auto text = [](const v1::VoxelSize& size) {
    return fmt::format("{:.6g} x {:.6g} x {:.6g} um", size.z_um(), size.y_um(), size.x_um());
  };
  return MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                    .remedy = "Resample one of them, or correct the size that is wrong in its file."},
                   fmt::format("{}: voxels of {} (z,y,x), but those of {} have {}", Printable(stack.display_name()),
                               text(stack.voxel_size()), Printable(first.display_name()), text(first.voxel_size())));
}

// The channels of all stacks, with what is known of each; one that has no name is named after its file.
absl::StatusOr<v1::VolumeSpec> Joined(const Stacks& stacks, bool pad, const std::string& name) {
  v1::VolumeSpec spec = stacks.front().spec;
  v1::Shape5& shape = *spec.mutable_shape();
  spec.set_display_name(name);
  spec.clear_channels();
  uint32_t count = 0;
  for (const InputImage& stack : stacks) {
    RETURN_IF_ERROR(CheckAlike(stacks.front().spec, stack.spec, pad));
    shape.set_z(std::max(shape.z(), stack.spec.shape().z()));
    shape.set_y(std::max(shape.y(), stack.spec.shape().y()));
    shape.set_x(std::max(shape.x(), stack.spec.shape().x()));
    for (uint32_t c = 0; c < stack.spec.shape().c(); ++c) {
      v1::Channel& channel = *spec.add_channels();
      if (c < static_cast<uint32_t>(stack.spec.channels_size())) channel = stack.spec.channels(static_cast<int>(c));
      if (channel.name().empty()) channel.set_name(std::filesystem::path(stack.spec.display_name()).stem().string());
    }
    count += stack.spec.shape().c();
  }
  shape.set_c(count);
  RETURN_IF_ERROR(ToShape(shape, spec.type(), "FILE").status());
  return spec;
}

// Where a stack lies in the joined one: its voxel floor(n/2) in that of the other.
Box3 PlaceOf(const v1::Shape5& stack, const v1::Shape5& joined) {
  const auto before = [](uint32_t n, uint32_t of) { return int64_t{of / 2} - int64_t{n / 2}; };
  return {{before(stack.z(), joined.z()), before(stack.y(), joined.y()), before(stack.x(), joined.x())},
          {stack.z(), stack.y(), stack.x()}};
}

// Plane z of the joined stack: one channel of `stack`, and zeros around it.
absl::Status ReadPlaced(const InputImage& stack, const Box3& place, int64_t t, int64_t c, int64_t z,
                        const v1::Shape5& joined, std::vector<std::byte>& own, std::vector<std::byte>& plane) {
  std::fill(plane.begin(), plane.end(), std::byte{0});
  if (z < place.origin.z || z >= place.origin.z + place.shape.z) return absl::OkStatus();
  RETURN_IF_ERROR(stack.reader->ReadPlane(t, c, z - place.origin.z, own));
  const Box3 from = {{0, place.origin.y, place.origin.x}, {1, place.shape.y, place.shape.x}};
  CopyBox(own.data(), from, plane.data(), {{}, {1, joined.y(), joined.x()}}, BytesPerVoxel(stack.spec.type()));
  return absl::OkStatus();
}

absl::Status CopyPlanes(const Stacks& stacks, const v1::VolumeSpec& spec, imageio::ImageWriter& writer,
                        Progress& progress, const std::stop_token& stop) {
  const v1::Shape5& shape = spec.shape();
  const auto plane_bytes = [&](const v1::Shape5& of) {
    return static_cast<size_t>(int64_t{of.y()} * of.x() * BytesPerVoxel(spec.type()));
  };
  std::vector<std::byte> plane(plane_bytes(shape)), own;
  const double total = static_cast<double>(shape.t()) * shape.c() * shape.z();
  double done = 0;
  for (int64_t t = 0; t < shape.t(); ++t) {
    for (const InputImage& stack : stacks) {
      const Box3 place = PlaceOf(stack.spec.shape(), shape);
      own.resize(plane_bytes(stack.spec.shape()));
      for (int64_t c = 0; c < stack.spec.shape().c(); ++c) {
        for (int64_t z = 0; z < shape.z(); ++z) {
          if (stop.stop_requested()) return absl::CancelledError("interrupted");
          RETURN_IF_ERROR(ReadPlaced(stack, place, t, c, z, shape, own, plane));
          RETURN_IF_ERROR(writer.WritePlane(plane));
          progress.Show({.phase = "join", .fraction = ++done / total});
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Join(const JoinOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  RETURN_IF_ERROR(CheckOwnFile(options.output, "-o", options.files));
  Stacks stacks;
  for (const std::string& file : options.files) {
    ASSIGN_OR_RETURN(InputImage stack, OpenInput(file, {}, *progress));
    stacks.push_back(std::move(stack));
  }
  ASSIGN_OR_RETURN(const v1::VolumeSpec spec,
                   Joined(stacks, options.pad, std::filesystem::path(options.output).filename().string()));
  ASSIGN_OR_RETURN(const auto writer, imageio::CreateImage(options.output, spec, ToWriteOptions(options.writing)));
  RETURN_IF_ERROR(CopyPlanes(stacks, spec, *writer, *progress, stop));
  RETURN_IF_ERROR(writer->Finish());
  progress->Clear();
  console.Say(fmt::format("wrote {}, {}", Printable(options.output), ShapeText(spec)));
  if (console.json) console.Json({{"event", "result"}, {"output", options.output}, {"channels", spec.shape().c()}});
  return absl::OkStatus();
}

}  // namespace

void AddJoin(CLI::App& root, Program& program) {
  AddVerb<JoinOptions>(
      root, program, "join", "Make stacks of one shape the channels of one.", kExamples,
      [&program](CLI::App& verb, JoinOptions& options) {
        verb.add_option("FILE", options.files, "Stacks, in the order of the channels")
            ->type_name("FILE")
            ->required()
            ->expected(2, 4096);
        verb.add_option("-o,--output", options.output, std::string("Stack to write: .tif, .ome.tif") + kReplaced)
            ->type_name("FILE")
            ->required();
        verb.add_flag("--pad", options.pad,
                      "Smaller stacks get zeros around them, with their centres floor(n/2) in one place: for PSFs");
        AddImageOutputOptions(verb, options.writing);
        AddProgressOptions(verb, program.console);
      },
      [&program](const JoinOptions& options) { return Join(options, program.console); });
}

}  // namespace deconvoy::client
