// Every network that restores, in tiles as they are planned and on the whole frame.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/learned/drawn_model.h"
#include "worker/learned/examples.h"
#include "worker/pipeline/model_set.h"

namespace deconvoy::worker {
namespace {

using learned::Cut;
using learned::Model;
using learned::NetworkKind;
using learned::Purpose;

class EveryNetwork : public ::testing::TestWithParam<NetworkKind> {};

// Along each axis, and into more or fewer tiles. A drawn network magnifies far more than a trained one; differences
// count relative to what it makes of the image.
TEST_P(EveryNetwork, MakesTheSameOfTilesAndOfTheFrame) {
  const auto model = learned::Load(learned::Drawn(GetParam().name, learned::Head::kPlain, learned::DrawnPsf::kWide));
  const std::vector<const Model*> models{model.get()};
  google::protobuf::RepeatedPtrField<v1::ModelUse> uses;
  *uses.Add()->mutable_facts()->mutable_halo() = ToProto(model->halo());
  const int64_t step = model->kind().step;
  *uses[0].mutable_facts()->mutable_multiple() = ToProto(Shape3{step, step, step});
  const Shape3 halo = ModelHalo(uses);
  for (int64_t Shape3::*axis : {&Shape3::z, &Shape3::y, &Shape3::x}) {
    Shape3 frame{9, 14, 15};
    frame.*axis = 2 * (halo.*axis) + 25;
    const std::vector<float> image = learned::Image(frame);
    const learned::Scale scale = learned::ScaleOf(image, model->facts().percentiles);
    ModelRestorer whole_restorer(models, scale);
    ASSERT_OK_AND_ASSIGN(const std::vector<float> whole, whole_restorer.Restore(image, frame, {}));
    const auto [least, most] = std::minmax_element(whole.begin(), whole.end());
    ASSERT_GT(*most - *least, 0);
    for (const int64_t parts : {2, 3}) {
      for (int64_t part = 0; part < parts; ++part) {
        const int64_t from = frame.*axis * part / parts, to = frame.*axis * (part + 1) / parts;
        const auto between = [&](int64_t first, int64_t last) {
          Shape3 extents = frame, origin{0, 0, 0};
          extents.*axis = last - first;
          origin.*axis = first;
          return Box3{{origin.z, origin.y, origin.x}, extents};
        };
        const Box3 core = between(from, to);
        const Box3 loaded = between(std::max<int64_t>(from - halo.*axis, 0), std::min(to + halo.*axis, frame.*axis));
        ModelRestorer restorer(models, scale);
        ASSERT_OK_AND_ASSIGN(const std::vector<float> tile,
                             restorer.Restore(Cut(image, frame, loaded), loaded.shape, loaded.origin));
        const std::vector<float> here = Cut(tile, loaded.shape, {core.origin - loaded.origin, core.shape}),
                                 there = Cut(whole, frame, core);
        for (size_t i = 0; i < here.size(); ++i) {
          ASSERT_NEAR(here[i], there[i], 1e-3 * (*most - *least)) << "part " << part << " of " << parts << ": " << i;
        }
      }
    }
  }
}

std::vector<NetworkKind> ThoseThatRestore() {
  std::vector<NetworkKind> kinds;
  for (const NetworkKind& kind : learned::AllNetworks()) {
    if (kind.purpose == Purpose::kRestore) kinds.push_back(kind);
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryNetwork, ::testing::ValuesIn(ThoseThatRestore()), [](const auto& test) {
  std::string name(test.param.name);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace deconvoy::worker
