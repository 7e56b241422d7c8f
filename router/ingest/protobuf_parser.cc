#include "router/ingest/protobuf_parser.h"

#include <array>

#include "base/coding.h"
#include "router/ingest/point_check.h"

namespace shoal {
namespace {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint64_t number;
  WireType type;
  uint64_t varint;          // kVarint
  double fixed64;           // kFixed64
  absl::string_view bytes;  // kBytes
};

ProtobufError NextField(ByteReader* reader, Field* field) {
  uint64_t tag;
  if (!reader->GetVarint(&tag)) return ProtobufError::kTruncated;
  field->number = tag >> 3;
  field->type = static_cast<WireType>(tag & 7);
  // Field numbers have 29 bits.
  if (field->number == 0 || tag >> 32 != 0) return ProtobufError::kBadTag;
  bool complete = false;
  switch (field->type) {
    case WireType::kVarint:
      complete = reader->GetVarint(&field->varint);
      break;
    case WireType::kFixed64:
      complete = reader->Get(&field->fixed64);
      break;
    case WireType::kBytes:
      complete = reader->GetLengthPrefixed(&field->bytes);
      break;
    case WireType::kFixed32: {
      uint32_t ignored;
      complete = reader->Get(&ignored);
      break;
    }
    default:
      return ProtobufError::kBadTag;
  }
  return complete ? ProtobufError::kNone : ProtobufError::kTruncated;
}

struct Point {
  uint32_t timestamp_sec = 0;
  double value = 0;
};

// Of a field that comes twice the last one counts, as protobuf has it.
ProtobufError ReadPoint(absl::string_view message, Point* point) {
  *point = Point();
  ByteReader reader(message);
  Field field;
  while (!reader.empty()) {
    if (const ProtobufError error = NextField(&reader, &field); error != ProtobufError::kNone) {
      return error;
    }
    if (field.number == 1) {
      if (field.type != WireType::kVarint) return ProtobufError::kBadWireType;
      // A uint32 keeps the low bits of what is written.
      point->timestamp_sec = static_cast<uint32_t>(field.varint);
    } else if (field.number == 2) {
      if (field.type != WireType::kFixed64) return ProtobufError::kBadWireType;
      point->value = field.fixed64;
    }
  }
  return ProtobufError::kNone;
}

// Calls on_point(Point) for each point, and sets *name, which may stand behind them.
template <typename OnPoint>
ProtobufError ReadMetric(absl::string_view message, absl::string_view* name,
                         const OnPoint& on_point) {
  *name = "";
  ByteReader reader(message);
  Field field;
  while (!reader.empty()) {
    if (const ProtobufError error = NextField(&reader, &field); error != ProtobufError::kNone) {
      return error;
    }
    if (field.number != 1 && field.number != 2) continue;
    if (field.type != WireType::kBytes) return ProtobufError::kBadWireType;
    if (field.number == 1) {
      *name = field.bytes;
      continue;
    }
    Point point;
    if (const ProtobufError error = ReadPoint(field.bytes, &point); error != ProtobufError::kNone) {
      return error;
    }
    on_point(point);
  }
  return ProtobufError::kNone;
}

// Calls on_metric(bytes), which returns an error, for each metric.
template <typename OnMetric>
ProtobufError ReadPayload(absl::string_view payload, const OnMetric& on_metric) {
  ByteReader reader(payload);
  Field field;
  while (!reader.empty()) {
    if (const ProtobufError error = NextField(&reader, &field); error != ProtobufError::kNone) {
      return error;
    }
    if (field.number != 1) continue;
    if (field.type != WireType::kBytes) return ProtobufError::kBadWireType;
    if (const ProtobufError error = on_metric(field.bytes); error != ProtobufError::kNone) {
      return error;
    }
  }
  return ProtobufError::kNone;
}

}  // namespace

const char* ProtobufErrorName(ProtobufError error) {
  constexpr std::array<const char*, kProtobufErrorCount> kNames = {
      "none", "truncated", "bad_tag", "bad_wire_type", "too_many_points"};
  return kNames[static_cast<size_t>(error)];
}

ProtobufError ParseProtobuf(absl::string_view payload, uint32_t now_sec, const LineSyntax& syntax,
                            const ProtobufLimits& limits,
                            absl::FunctionRef<void(const ParsedLine&)> on_point,
                            absl::FunctionRef<void(LineError, absl::string_view)> on_bad) {
  size_t points = 0;
  const ProtobufError error = ReadPayload(payload, [&](absl::string_view metric) {
    absl::string_view name;
    const ProtobufError bad = ReadMetric(metric, &name, [&points](const Point&) { ++points; });
    return bad == ProtobufError::kNone && points > limits.points_max ? ProtobufError::kTooManyPoints
                                                                     : bad;
  });
  if (error != ProtobufError::kNone) return error;

  return ReadPayload(payload, [&](absl::string_view metric) {
    ParsedLine parsed;
    size_t of_metric = 0;
    // The name first: it may stand behind the points.
    ReadMetric(metric, &parsed.name, [&of_metric](const Point&) { ++of_metric; });
    const absl::string_view name = parsed.name;
    if (of_metric == 0) on_bad(LineError::kBadFieldCount, name);
    absl::string_view ignored;
    return ReadMetric(metric, &ignored, [&](const Point& point) {
      const LineError bad =
          name.empty() ? LineError::kEmptyName
                       : CheckNumbers(point.timestamp_sec, point.value, now_sec, syntax, &parsed);
      if (bad == LineError::kNone) {
        on_point(parsed);
      } else {
        on_bad(bad, name);
      }
    });
  });
}

}  // namespace shoal
