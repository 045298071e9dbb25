// A connection that speaks HTTP/2 by hand, says only what it is told to, and keeps no rule of gRPC's clients.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace deconvoy::server {

class RawConnection {
 public:
  enum Type : uint8_t {
    kData = 0,
    kHeaders = 1,
    kReset = 3,
    kSettings = 4,
    kPing = 6,
    kGoAway = 7,
    kWindow = 8,
    kContinuation = 9
  };
  struct Frame {
    uint8_t type = 0, flags = 0;
    uint32_t stream = 0;
    std::string bytes;
  };

  explicit RawConnection(const std::string& socket_path) : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    EXPECT_EQ(setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  }
  ~RawConnection() { close(socket_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // Says that it speaks HTTP/2. With `polite` it acknowledges the server's settings and answers its pings from now on.
  void Greet(bool polite) {
    polite_ = polite;
    Say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Framed(kSettings, 0, 0, ""));
    while (polite_ && !settled_ && Next()) continue;
  }

  // Begins a call with `fields` fields of metadata of 1000 bytes each, on a stream whose number is odd and below 256.
  void Begin(std::string_view method, int fields = 0, uint8_t stream = kStream) {
    std::string block = Field(":method", "POST") + Field(":scheme", "http") + Field(":path", method) +
                        Field(":authority", "localhost") + Field("te", "trailers") +
                        Field("content-type", "application/grpc");
    for (int i = 0; i < fields; ++i) block += Field("x-field-" + std::to_string(i), std::string(1000, 'x'));
    for (size_t at = 0; at < block.size(); at += kFrameBytes) {
      const bool last = at + kFrameBytes >= block.size();
      Say(Framed(at == 0 ? kHeaders : kContinuation, last ? kEndOfHeaders : 0, stream, block.substr(at, kFrameBytes)));
    }
  }
  // Its only message, which is empty.
  void SendMessage() { Say(Framed(kData, kEndOfStream, kStream, std::string(5, '\0'))); }
  // Three bytes of a hundred.
  void SendHalfAMessage() { Say(Framed(kData, 0, kStream, std::string("\0\0\0\0\x64", 5) + "abc")); }
  // `size` bytes, at most 640'000, of a message that is longer, as fast as the server takes them and unless it has
  // ended the call.
  void SendPartOfAMessage(uint8_t stream, size_t size) {
    std::string left = std::string("\0\0\x0f\0\0", 5) + std::string(size, 'x');
    while (!left.empty() && !ended_.contains(stream)) {
      const size_t now = std::min({left.size(), kFrameBytes, window_});
      if (now > 0) {
        Say(Framed(kData, 0, stream, left.substr(0, now)));
        left.erase(0, now);
        window_ -= now;
      } else if (!Next()) {
        return;
      }
    }
  }

  // What the server says next; nothing once it has hung up. A server that says nothing for a minute is an error.
  std::optional<Frame> Next() {
    while (heard_.size() < 9 || heard_.size() < 9 + LengthOf(heard_)) {
      char bytes[65536];
      const ssize_t count = recv(socket_, bytes, sizeof(bytes), 0);
      EXPECT_FALSE(count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "the server neither speaks nor hangs up";
      if (count <= 0) return std::nullopt;
      heard_.append(bytes, static_cast<size_t>(count));
    }
    const auto byte = [this](size_t i) { return static_cast<uint8_t>(heard_[i]); };
    Frame frame{.type = byte(3), .flags = byte(4), .stream = byte(8), .bytes = heard_.substr(9, LengthOf(heard_))};
    heard_.erase(0, 9 + frame.bytes.size());
    if (polite_ && (frame.flags & kAcknowledged) == 0) {
      if (frame.type == kPing) Say(Framed(kPing, kAcknowledged, 0, frame.bytes));
      if (frame.type == kSettings) Say(Framed(kSettings, kAcknowledged, 0, ""));
    }
    settled_ |= frame.type == kSettings;
    const bool last = frame.type == kReset || (frame.type == kHeaders && (frame.flags & kEndOfStream) != 0);
    if (last) ended_.insert(frame.stream);
    if (frame.type == kWindow && frame.stream == 0) {
      size_t more = 0;
      for (const char digit : frame.bytes) more = more << 8 | static_cast<uint8_t>(digit);
      window_ += more;
    }
    return frame;
  }
  // Listens until the server hangs up.
  void ListenToTheEnd() {
    while (Next()) continue;
  }
  // The gRPC status that the call ends with, in digits, and whether an answer came before it; empty if it hangs up.
  std::string Status(bool* answered) {
    *answered = false;
    while (const std::optional<Frame> frame = Next()) {
      *answered |= frame->type == kData;
      const size_t at = frame->bytes.find(kStatus);
      if (frame->type != kHeaders || at == std::string::npos) continue;
      const size_t length = at + kStatus.size();
      return frame->bytes.substr(length + 1, static_cast<size_t>(frame->bytes.at(length)));
    }
    return "";
  }

 private:
  static constexpr size_t kFrameBytes = 16'000;  // of at most 16384
  static constexpr uint8_t kStream = 1;
  static constexpr uint8_t kAcknowledged = 1, kEndOfStream = 1, kEndOfHeaders = 4;
  static constexpr std::string_view kStatus = "grpc-status";

  static size_t LengthOf(const std::string& frame) {
    const auto byte = [&](size_t i) { return size_t{static_cast<uint8_t>(frame[i])}; };
    return byte(0) << 16 | byte(1) << 8 | byte(2);
  }
  static std::string Framed(uint8_t type, uint8_t flags, uint8_t stream, std::string_view bytes) {
    const size_t n = bytes.size();
    std::string frame;
    for (const size_t byte : {n >> 16, n >> 8, n, size_t{type}, size_t{flags}, size_t{0}, size_t{0}, size_t{0}}) {
      frame += static_cast<char>(byte & 0xff);
    }
    frame += static_cast<char>(stream);
    return frame.append(bytes);
  }
  // A field of HPACK that neither uses nor changes a table.
  static std::string Field(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + Text(name) + Text(value);
  }
  static std::string Text(std::string_view text) {
    std::string out(1, static_cast<char>(std::min<size_t>(text.size(), 127)));
    if (text.size() >= 127) {
      size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
      out += static_cast<char>(rest);
    }
    return out.append(text);
  }
  // What a server that has hung up does not hear is no error.
  void Say(const std::string& bytes) { (void)send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  const int socket_;
  bool polite_ = false, settled_ = false;
  size_t window_ = 65'535;    // bytes that may be sent on all streams together
  std::set<uint32_t> ended_;  // streams
  std::string heard_;         // and not taken yet
};

}  // namespace deconvoy::server
