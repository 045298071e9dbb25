#include "proto/contract/psf_library.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::CreatePsfRequest Request() {
  v1::CreatePsfRequest request;
  request.set_request_id("r1");
  request.set_psf_id("gfp-60x");
  request.set_volume("volumes/a");
  return request;
}

TEST(ValidateCreatePsf, TakesWhatTheContractAllows) {
  EXPECT_OK(ValidateCreatePsf(Request()));
  v1::CreatePsfRequest full = Request();
  full.set_psf_id(std::string(63, 'a'));
  full.set_description(std::string(kLibraryDescriptionBytes, 'x'));
  full.add_optics()->set_na(1.4);
  full.mutable_optics(0)->set_emission_um(0.52);
  full.set_microscopy(v1::WIDEFIELD);
  EXPECT_OK(ValidateCreatePsf(full));
}

void ExpectRefused(const v1::CreatePsfRequest& request, const std::string& field,
                   v1::ErrorReason reason = v1::INVALID_FIELD) {
  const absl::Status status = ValidateCreatePsf(request);
  EXPECT_EQ(ReasonOf(status), reason) << field;
  EXPECT_EQ(InfoOf(status).field(), field) << status;
}

TEST(ValidateCreatePsf, NamesWhatIsWrong) {
  v1::CreatePsfRequest request = Request();
  request.set_request_id("");
  ExpectRefused(request, "request_id");
  for (const std::string& id : {std::string(), std::string(64, 'a'), std::string("GFP"), std::string("1a"),
                                std::string("-a"), std::string("a/b"), std::string("a\n")}) {
    request = Request();
    request.set_psf_id(id);
    ExpectRefused(request, "psf_id");
  }
  request = Request();
  request.set_volume("psfs/a");
  ExpectRefused(request, "volume");
  request = Request();
  request.set_description(std::string(kLibraryDescriptionBytes + 1, 'x'));
  ExpectRefused(request, "description", v1::LIMIT_EXCEEDED);
  request.set_description("\xff");
  ExpectRefused(request, "description");
  request = Request();
  request.set_microscopy(v1::CONFOCAL);
  ExpectRefused(request, "psf.microscopy");
  request.add_optics()->set_na(1.4);
  ExpectRefused(request, "psf.optics.emission_um");
}

}  // namespace
}  // namespace deconvoy
