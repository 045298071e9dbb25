// The worker's rl-multiview against the same formula in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "proto/contract/status_macros.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::reference {
namespace {

constexpr int kIterations = 12;

// One view: what was measured on the box at the domain's origin.
struct ViewData {
  Volume y, m;
  Psf psf;
  double background;
};

struct Problem {
  Shape3 domain;
  double mean;
  std::vector<ViewData> views;
};

Problem RandomProblem(v1::Boundary boundary, bool masked, std::mt19937_64& random) {
  const Shape3 n{5, 7, 8};
  const bool extend = boundary == v1::EXTEND;
  Problem problem{.domain = extend ? Shape3{8, 10, 12} : n, .mean = 0, .views = {}};
  for (const Shape3& psf : {Shape3{4, 3, 3}, Shape3{3, 4, 2}, Shape3{2, 3, 5}}) {
    ViewData& view = problem.views.emplace_back();
    view.y = RandomImage(n.z, n.y, n.x, random);
    view.m = Volume(n.z, n.y, n.x, 1);
    for (double& m : view.m.values) m = masked && random() % 5 == 0 ? 0 : 1;
    view.psf = RandomPsf(psf.z, psf.y, psf.x, random);
    view.background = static_cast<double>(problem.views.size());
    problem.mean += MeanOf(view.y) / 3;
  }
  problem.mean = static_cast<float>(problem.mean);
  return problem;
}

// p f_v.
Volume Stepped(const Volume& p, const ViewData& view, const Shape3& d, double mean) {
  const Volume y = Padded(view.y, d.z, d.y, d.x), m = Padded(view.m, d.z, d.y, d.x), w = Correlate(m, view.psf);
  Volume quotient = Convolve(p, view.psf);
  for (size_t i = 0; i < quotient.values.size(); ++i) {
    quotient.values[i] = m.values[i] * y.values[i] / std::max(quotient.values[i] + view.background, 1e-6 * mean);
  }
  const Volume back = Correlate(quotient, view.psf);
  Volume stepped = p;
  for (size_t i = 0; i < p.values.size(); ++i) {
    if (w.values[i] >= 0.01) stepped.values[i] *= back.values[i] / w.values[i];
  }
  return stepped;
}

Volume Formula(const Problem& problem, bool additive, bool heavy_ball) {
  const Shape3& d = problem.domain;
  Volume x(d.z, d.y, d.x, problem.mean), before = x;
  for (int k = 1; k <= kIterations; ++k) {
    const double alpha = heavy_ball ? (k - 1.0) / (k + 2.0) : 0;
    Volume p = x;
    for (size_t i = 0; i < p.values.size(); ++i) {
      p.values[i] = std::max(x.values[i] + alpha * (x.values[i] - before.values[i]), 0.1 * x.values[i]);
    }
    before = x;
    if (!additive) {
      for (const ViewData& view : problem.views) p = Stepped(p, view, d, problem.mean);
      x = p;
      continue;
    }
    x = Volume(d.z, d.y, d.x);
    for (const ViewData& view : problem.views) {
      const Volume stepped = Stepped(p, view, d, problem.mean);
      for (size_t i = 0; i < x.values.size(); ++i) {
        x.values[i] += stepped.values[i] / static_cast<double>(problem.views.size());
      }
    }
  }
  return x;
}

std::vector<float> Floats(const Volume& volume) {
  return {volume.values.begin(), volume.values.end()};
}

absl::StatusOr<Volume> Engine(const Problem& problem, v1::Boundary boundary, bool masked,
                              const std::map<std::string, std::string>& given, worker::Monitor& monitor) {
  const auto backend = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  const worker::Method& method = *worker::FindMethod("rl-multiview");
  ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method.description(), given));
  ASSIGN_OR_RETURN(const auto ops, backend->Open(problem.domain));
  std::vector<std::unique_ptr<worker::Otf>> otfs;
  std::vector<std::unique_ptr<worker::Array>> arrays;
  worker::Problem run{.ops = ops.get(), .boundary = boundary, .mean = static_cast<float>(problem.mean)};
  for (const ViewData& view : problem.views) {
    const Volume& h = view.psf.h;
    const Box3 box{{}, {view.y.nz, view.y.ny, view.y.nx}};
    ASSIGN_OR_RETURN(otfs.emplace_back(),
                     ops->MakeOtf(Floats(h), {h.nz, h.ny, h.nx}, {view.psf.cz, view.psf.cy, view.psf.cx}));
    for (const Volume* volume : {&view.y, &view.m}) {
      ASSIGN_OR_RETURN(arrays.emplace_back(), ops->Allocate(box));
      RETURN_IF_ERROR(ops->Upload(Floats(*volume), box, *arrays.back()));
    }
    run.views.push_back({.otf = otfs.back().get(),
                         .measured = arrays[arrays.size() - 2].get(),
                         .mask = masked ? arrays.back().get() : nullptr,
                         .background = static_cast<float>(view.background)});
  }
  run.otf = run.views[0].otf;
  run.measured = run.views[0].measured;
  ASSIGN_OR_RETURN(const auto x, method.Run(run, parameters, monitor));
  std::vector<float> values(static_cast<size_t>(problem.domain.voxels()));
  RETURN_IF_ERROR(ops->Download(*x, {{}, problem.domain}, values));
  Volume result(problem.domain.z, problem.domain.y, problem.domain.x);
  result.values.assign(values.begin(), values.end());
  return result;
}

// The part of x that was measured and that a job returns. Further out single voxels have w close to its floor: a
// division by 0.01 makes 1e-5 of a transform's rounding of 1e-7, as much as the bound.
Volume Measured(const Volume& x, const Problem& problem) {
  const Volume& y = problem.views[0].y;
  return Cropped(x, y.nz, y.ny, y.nx);
}

TEST(MultiviewReferenceTest, FollowsItsFormula) {
  std::mt19937_64 random(testing::Seed());
  for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC}) {
    for (const bool masked : {false, true}) {
      if (masked && boundary != v1::EXTEND) continue;
      const Problem problem = RandomProblem(boundary, masked, random);
      for (const bool additive : {false, true}) {
        for (const bool heavy_ball : {false, true}) {
          Objectives objectives;
          ASSERT_OK_AND_ASSIGN(const Volume found, Engine(problem, boundary, masked,
                                                          {{"iterations", std::to_string(kIterations)},
                                                           {"update", additive ? "additive" : "ordered-subset"},
                                                           {"acceleration", heavy_ball ? "heavy-ball" : "none"}},
                                                          objectives));
          EXPECT_LE(RelativeError(Measured(found, problem), Measured(Formula(problem, additive, heavy_ball), problem)),
                    1e-5)
              << boundary << masked << additive << heavy_ball;
        }
      }
    }
  }
}

TEST(MultiviewReferenceTest, PlainAdditiveStepsNeverRaiseTheObjective) {
  std::mt19937_64 random(testing::Seed());
  const Problem problem = RandomProblem(v1::PERIODIC, false, random);
  Objectives objectives;
  ASSERT_OK(Engine(problem, v1::PERIODIC, false,
                   {{"iterations", "30"}, {"acceleration", "none"}, {"objective", "true"}}, objectives));
  ASSERT_EQ(objectives.values.size(), 30U);
  for (size_t k = 1; k < 30; ++k) {
    EXPECT_LE(objectives.values[k], objectives.values[k - 1] * (1 + 1e-6)) << "iteration " << k;
  }
}

}  // namespace
}  // namespace deconvoy::reference
