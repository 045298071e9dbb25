#include "server/store/request_digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <span>

#include "proto/contract/checksum.h"

namespace deconvoy::server {

std::string DigestOfRequest(const google::protobuf::Message& request) {
  std::string bytes = request.GetTypeName();
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  Sha256 sha;
  sha.Update(std::as_bytes(std::span(bytes)));
  const Sha256Digest digest = sha.Finish();
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace deconvoy::server
