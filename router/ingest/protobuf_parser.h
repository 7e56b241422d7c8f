// Carbon's protobuf protocol: a Payload of metrics with their points, read from the wire format
// without building messages.
//
//   message Point   { uint32 timestamp = 1; double value = 2; }
//   message Metric  { string metric = 1; repeated Point points = 2; }
//   message Payload { repeated Metric metrics = 1; }
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {

// Why a whole payload was refused. The names (ProtobufErrorName) are label values: frozen.
enum class ProtobufError : uint8_t {
  kNone,
  kTruncated,      // ends within a field, or a length goes past its message
  kBadTag,         // field number 0, or a wire type that there is not (groups included)
  kBadWireType,    // a field of the schema with another type
  kTooManyPoints,  // more than ProtobufLimits::points_max
};
inline constexpr size_t kProtobufErrorCount = 5;
const char* ProtobufErrorName(ProtobufError error);  // "truncated", ...

struct ProtobufLimits {
  // An empty point takes two bytes and means time 0, value 0: a small frame may hold many.
  size_t points_max = 256 << 10;
};

// kNone: on_point was called for each good point, in order, and on_bad for each other one, with
// what is wrong and the name of its metric; a metric without points is one bad_field_count, one
// without a name is an empty_name per point. Unknown fields are skipped. Names are not validated
// yet. The views are valid during the call only.
//
// Anything else: the payload is refused and neither has been called. Reads the bytes twice, to be
// able to promise that. Does not allocate, does not recurse.
ProtobufError ParseProtobuf(absl::string_view payload, uint32_t now_sec, const LineSyntax& syntax,
                            const ProtobufLimits& limits,
                            absl::FunctionRef<void(const ParsedLine&)> on_point,
                            absl::FunctionRef<void(LineError, absl::string_view)> on_bad);

}  // namespace shoal
