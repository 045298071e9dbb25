// Reading a stream so that a message that cannot be read is not taken for the stream's end: gRPC's own Read says false
// to both.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

namespace deconvoy::server {

enum class Heard {
  kMessage,
  kEnd,     // the caller has closed its side, or has gone; gRPC may have ended the call
  kUnread,  // a message came, and its bytes are none of its kind
};

// The next message of `stream`, whose `Read(Message*)` is gRPC's. Anything but kMessage leaves `message` empty.
template <typename Stream, typename Message>
Heard Hear(Stream& stream, Message& message) {
  // Reading a message begins with clearing it. The mark is a field that no message can have over the wire.
  constexpr int kMark = 1 << 29;
  message.Clear();
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(kMark, 1);
  if (stream.Read(&message)) return Heard::kMessage;
  const google::protobuf::UnknownFieldSet& unknown = message.GetReflection()->GetUnknownFields(message);
  const bool untouched = unknown.field_count() == 1 && unknown.field(0).number() == kMark;
  message.Clear();
  return untouched ? Heard::kEnd : Heard::kUnread;
}

}  // namespace deconvoy::server
