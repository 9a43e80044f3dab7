#include "services/platform/engine/wire.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "services/platform/status/check.h"

namespace sankofa::engine {

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    status::Check(message.SerializeToCodedStream(&coded), "a message can't be serialised");
  }
  return bytes;
}

}  // namespace sankofa::engine
