// A server that asks for tokens, an administrator, two users and a worker, and what the server logs.
#pragma once

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <string>
#include <string_view>

#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/api/raw_call.h"

namespace deconvoy::server {

class SecurityApiTest : public ApiTest {
 protected:
  SecurityApiTest() {
    tokens_ = TokenRule::kRequired;
    limits_.refused_per_second = 0;
  }

  void SetUp() override {
    before_ = spdlog::default_logger();
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_level(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    ApiTest::SetUp();
    admin_ = Add("root", v1::ADMIN);
    ada_ = Add("ada", v1::USER);
    bob_ = Add("bob", v1::USER);
    node_ = Add("node", v1::WORKER);
  }
  void TearDown() override {
    ApiTest::TearDown();
    spdlog::set_default_logger(before_);
  }

  // A user with a token; returns what they send.
  std::string Add(const std::string& id, v1::Role role, absl::Duration lifetime = absl::InfiniteDuration()) {
    EXPECT_OK(core_->accounts().Add({.id = id, .role = role}));
    const auto made = core_->accounts().MakeToken(id, "", lifetime);
    EXPECT_OK(made);
    return "Bearer " + made.value_or(Accounts::NewToken{}).text;
  }

  // Makes a call of any kind with one message, and returns how it ended.
  grpc::Status Make(std::string_view rpc, const std::string& authorization, const std::string& request = "",
                    std::string* response = nullptr) {
    return CallRaw(channel_, MethodOf(rpc), request, response, authorization);
  }
  // `/deconvoy.v1.Volumes/Get` of `Volumes.Get`.
  static std::string MethodOf(std::string_view rpc) {
    const size_t dot = rpc.find('.');
    return "/deconvoy.v1." + std::string(rpc.substr(0, dot)) + "/" + std::string(rpc.substr(dot + 1));
  }

  // An empty volume of a user.
  std::string VolumeOf(const std::string& authorization, const std::string& request_id = "volume",
                       const v1::VolumeSpec& spec = Spec(1, 4, 4)) {
    v1::CreateVolumeRequest create;
    create.set_request_id(request_id);
    *create.mutable_spec() = spec;
    grpc::ClientContext context;
    context.AddMetadata("authorization", authorization);
    v1::Volume volume;
    EXPECT_TRUE(volume_stub_->Create(&context, create, &volume).ok());
    return volume.name();
  }
  // A complete one of a single voxel.
  std::string CompleteVolumeOf(const std::string& authorization, const std::string& request_id) {
    const v1::VolumeSpec spec = Spec(1, 1, 1);
    v1::WriteVolumeRequest write;
    write.set_volume(VolumeOf(authorization, request_id, spec));
    *write.mutable_chunk() = Planes(spec, 0, 1);
    EXPECT_TRUE(Make("Volumes.Write", authorization, write.SerializeAsString()).ok());
    v1::FinishVolumeRequest finish;
    finish.set_volume(write.volume());
    EXPECT_TRUE(Make("Volumes.Finish", authorization, finish.SerializeAsString()).ok());
    return write.volume();
  }

  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
  std::string admin_, ada_, bob_, node_;
};

}  // namespace deconvoy::server
