// Peers that connect and then keep to no rule, by hand over a socket.
#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/api/raw_connection.h"

namespace deconvoy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kCall = "/deconvoy.v1.Methods/List";

class ConnectionsApiTest : public ApiTest {
 protected:
  // As it ends; whether an answer came before.
  std::pair<std::string, bool> Ask(bool polite, int fields) {
    RawConnection peer(address_.path);
    peer.Greet(polite);
    peer.Begin(kCall, fields);
    peer.SendMessage();
    bool answered = false;
    std::string status = peer.Status(&answered);
    return {status, answered};
  }
};

TEST_F(ConnectionsApiTest, MetadataIsBoundedAlsoForThoseWhoDoNotHearOfTheBound) {
  for (const bool polite : {true, false}) {
    EXPECT_EQ(Ask(polite, 8), std::pair(std::string("0"), true)) << polite;
    for (const int fields : {17, 60, 500}) {
      const auto [status, answered] = Ask(polite, fields);
      EXPECT_NE(status, "0") << polite << ", " << fields;
      EXPECT_FALSE(answered) << polite << ", " << fields;
    }
  }
  EXPECT_EQ(Ask(false, 8).first, "0") << "and others are served";
}

class SlowHandshakeApiTest : public ConnectionsApiTest {
 protected:
  SlowHandshakeApiTest() { limits_.connections.handshake = seconds(1); }
};

TEST_F(SlowHandshakeApiTest, WhoConnectsAndSaysNothingIsHungUpOn) {
  RawConnection peer(address_.path);
  peer.ListenToTheEnd();
  EXPECT_EQ(Ask(true, 0).first, "0");
}

class SilentPeerApiTest : public ConnectionsApiTest {
 protected:
  SilentPeerApiTest() { limits_.connections.silence = limits_.connections.answer = seconds(1); }
};

TEST_F(SilentPeerApiTest, WhoDoesNotAnswerIsHungUpOn) {
  RawConnection peer(address_.path);
  peer.Greet(false);
  peer.Begin(kCall);
  peer.SendHalfAMessage();
  peer.ListenToTheEnd();
  EXPECT_EQ(Ask(true, 0).first, "0");
}

class OldConnectionApiTest : public ConnectionsApiTest {
 protected:
  OldConnectionApiTest() { limits_.connections.age = milliseconds(500); }
};

class VeryOldConnectionApiTest : public OldConnectionApiTest {
 protected:
  VeryOldConnectionApiTest() { limits_.connections.grace = milliseconds(500); }
};

TEST_F(VeryOldConnectionApiTest, AMessageThatNeverEndsGoesWithItsConnection) {
  RawConnection peer(address_.path);
  peer.Greet(true);
  peer.Begin(kCall);
  peer.SendHalfAMessage();
  peer.ListenToTheEnd();
}

TEST_F(OldConnectionApiTest, StreamsGoOnAndCallsFindAnotherConnection) {
  const v1::VolumeSpec spec = Spec(1, 4, 4);
  v1::Volume volume;
  ASSERT_TRUE(Create("old", spec, &volume).ok());
  grpc::ClientContext context;
  const auto stream = volume_stub_->Write(&context);
  // Another connection, and a younger one, is told that it is old.
  RawConnection peer(address_.path);
  peer.Greet(true);
  std::optional<RawConnection::Frame> frame;
  do {
    frame = peer.Next();
    ASSERT_TRUE(frame);
  } while (frame->type != RawConnection::kGoAway);
  grpc::ClientContext other;
  v1::GetVolumeRequest get;
  get.set_volume(volume.name());
  other.set_wait_for_ready(true);
  EXPECT_TRUE(volume_stub_->Get(&other, get, &volume).ok());
  v1::WriteVolumeRequest request;
  request.set_volume(volume.name());
  *request.mutable_chunk() = Planes(spec, 0, 1);
  EXPECT_TRUE(stream->Write(request));
  stream->WritesDone();
  v1::WriteVolumeResponse response;
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.chunks_committed(), 1u);
  while (stream->Read(&response)) continue;
  // An old connection is closed behind its last stream. A caller that has something to send just then (that a window is
  // open, say) finds it broken, and is told that instead of how the stream ended.
  const grpc::Status end = stream->Finish();
  EXPECT_TRUE(end.ok() || end.error_code() == grpc::UNAVAILABLE) << end.error_code() << ": " << end.error_message();
}

}  // namespace
}  // namespace deconvoy::server
