#include "router/ingest/pickle_opcodes.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/coding.h"

namespace shoal {
namespace {

constexpr uint8_t kProtocolMax = 5;
constexpr uint32_t kSlotMax = std::numeric_limits<int32_t>::max();

class StepReader {
 public:
  explicit StepReader(absl::string_view bytes) : bytes_(bytes) {}
  absl::string_view rest() const { return bytes_.rest(); }

  PickleError Read(PickleStep* step) {
    uint8_t opcode;
    if (!bytes_.Get(&opcode)) return PickleError::kTruncated;
    step->opcode = static_cast<PickleOpcode>(opcode);
    switch (step->opcode) {
      case PickleOpcode::kMark:
      case PickleOpcode::kStop:
      case PickleOpcode::kPop:
      case PickleOpcode::kPopMark:
      case PickleOpcode::kNone:
      case PickleOpcode::kAppend:
      case PickleOpcode::kDict:
      case PickleOpcode::kAppends:
      case PickleOpcode::kList:
      case PickleOpcode::kSetItem:
      case PickleOpcode::kTuple:
      case PickleOpcode::kSetItems:
      case PickleOpcode::kEmptyTuple:
      case PickleOpcode::kEmptyList:
      case PickleOpcode::kEmptyDict:
      case PickleOpcode::kTuple1:
      case PickleOpcode::kTuple2:
      case PickleOpcode::kTuple3:
      case PickleOpcode::kMemoize:
        return PickleError::kNone;
      case PickleOpcode::kNewTrue:
        step->number = 1;
        return PickleError::kNone;
      case PickleOpcode::kNewFalse:
        step->number = 0;
        return PickleError::kNone;
      case PickleOpcode::kProto: {
        uint8_t version;
        if (!bytes_.Get(&version)) return PickleError::kTruncated;
        return version <= kProtocolMax ? PickleError::kNone : PickleError::kBadArgument;
      }
      case PickleOpcode::kFrame: {
        uint64_t size;
        if (!bytes_.Get(&size)) return PickleError::kTruncated;
        return size <= rest().size() ? PickleError::kNone : PickleError::kTruncated;
      }
      case PickleOpcode::kBinFloat: {
        uint64_t bits;
        if (!bytes_.Get(&bits)) return PickleError::kTruncated;
        step->number = std::bit_cast<double>(__builtin_bswap64(bits));
        return PickleError::kNone;
      }
      case PickleOpcode::kBinInt:
        return Number<int32_t>(step);
      case PickleOpcode::kBinInt1:
        return Number<uint8_t>(step);
      case PickleOpcode::kBinInt2:
        return Number<uint16_t>(step);
      case PickleOpcode::kLong1:
        return BinaryLong<uint8_t>(step);
      case PickleOpcode::kLong4:
        return BinaryLong<uint32_t>(step);
      case PickleOpcode::kInt:
      case PickleOpcode::kLong:
      case PickleOpcode::kFloat:
        return NumberLine(step);
      case PickleOpcode::kString:
        return StringLine(step);
      case PickleOpcode::kUnicode:
        return Line(&step->text) ? PickleError::kNone : PickleError::kTruncated;
      case PickleOpcode::kShortBinString:
      case PickleOpcode::kShortBinUnicode:
      case PickleOpcode::kShortBinBytes:
        return Text<uint8_t>(&step->text);
      case PickleOpcode::kBinString:
      case PickleOpcode::kBinUnicode:
      case PickleOpcode::kBinBytes:
        return Text<uint32_t>(&step->text);
      case PickleOpcode::kBinUnicode8:
        return Text<uint64_t>(&step->text);
      case PickleOpcode::kGet:
      case PickleOpcode::kPut:
        return SlotLine(step);
      case PickleOpcode::kBinGet:
      case PickleOpcode::kBinPut:
        return Slot<uint8_t>(step);
      case PickleOpcode::kLongBinGet:
      case PickleOpcode::kLongBinPut:
        return Slot<uint32_t>(step);
    }
    return PickleError::kForeignOpcode;
  }

 private:
  template <typename T>
  PickleError Number(PickleStep* step) {
    T value;
    if (!bytes_.Get(&value)) return PickleError::kTruncated;
    step->number = static_cast<double>(value);
    return PickleError::kNone;
  }
  template <typename T>
  PickleError Slot(PickleStep* step) {
    T slot;
    if (!bytes_.Get(&slot)) return PickleError::kTruncated;
    step->slot = slot;
    return slot <= kSlotMax ? PickleError::kNone : PickleError::kBadArgument;
  }
  template <typename T>
  PickleError Text(absl::string_view* text) {
    T size;
    if (!bytes_.Get(&size) || size > rest().size() ||
        !bytes_.GetBytes(static_cast<size_t>(size), text)) {
      return PickleError::kTruncated;
    }
    return PickleError::kNone;
  }
  // Up to the newline, which is taken too.
  bool Line(absl::string_view* line) {
    const size_t size = rest().find('\n');
    if (size == absl::string_view::npos) return false;
    absl::string_view newline;
    return bytes_.GetBytes(size, line) && bytes_.GetBytes(1, &newline);
  }

  PickleError StringLine(PickleStep* step) {
    absl::string_view line;
    if (!Line(&line)) return PickleError::kTruncated;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.size() < 2 || (line.front() != '\'' && line.front() != '"') ||
        line.back() != line.front()) {
      return PickleError::kBadArgument;
    }
    step->text = line.substr(1, line.size() - 2);
    return PickleError::kNone;
  }
  PickleError SlotLine(PickleStep* step) {
    absl::string_view line;
    if (!Line(&line)) return PickleError::kTruncated;
    return absl::SimpleAtoi(line, &step->slot) && step->slot <= kSlotMax
               ? PickleError::kNone
               : PickleError::kBadArgument;
  }
  // "123", "01" (True) and "123L"; a float as repr() writes it.
  PickleError NumberLine(PickleStep* step) {
    absl::string_view line;
    if (!Line(&line)) return PickleError::kTruncated;
    line = absl::StripAsciiWhitespace(line);
    if (step->opcode == PickleOpcode::kLong && !line.empty() && line.back() == 'L') {
      line.remove_suffix(1);
    }
    const bool whole = step->opcode != PickleOpcode::kFloat;
    const size_t sign = !line.empty() && (line.front() == '-' || line.front() == '+') ? 1 : 0;
    const absl::string_view foreign = whole ? "0123456789" : "0123456789.eE+-infaty";
    if (line.size() == sign || line.find_first_not_of(foreign, sign) != absl::string_view::npos ||
        !absl::SimpleAtod(line, &step->number)) {
      return PickleError::kBadArgument;
    }
    return PickleError::kNone;
  }
  // Two's complement, little-endian.
  template <typename T>
  PickleError BinaryLong(PickleStep* step) {
    absl::string_view bytes;
    if (const PickleError error = Text<T>(&bytes); error != PickleError::kNone) return error;
    step->number = LongToDouble(bytes);
    return PickleError::kNone;
  }

  static double LongToDouble(absl::string_view bytes) {
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    const uint8_t flip = negative ? 0xff : 0;
    // The magnitude (less one when negative) without its leading zeros.
    while (!bytes.empty() && static_cast<uint8_t>(bytes.back() ^ flip) == 0) {
      bytes.remove_suffix(1);
    }
    uint64_t top = 0;
    const size_t taken = bytes.size() < sizeof(top) ? bytes.size() : sizeof(top);
    for (size_t i = 0; i < taken; ++i) {
      top = top << 8 | static_cast<uint8_t>(bytes[bytes.size() - 1 - i] ^ flip);
    }
    const size_t below = bytes.size() - taken;
    if (below > 128) {
      return negative ? -std::numeric_limits<double>::infinity()
                      : std::numeric_limits<double>::infinity();
    }
    // The one goes to the lowest byte, and carries as far as the bytes above are full.
    bool all_full = true;
    bool rest_set = false;
    for (size_t i = 0; i < below; ++i) {
      const uint8_t byte = static_cast<uint8_t>(bytes[i] ^ flip);
      all_full &= byte == 0xff;
      rest_set |= byte != 0;
    }
    double magnitude;
    if (negative && all_full) {
      // 2^64 itself rounds like 2^64 - 1.
      magnitude =
          top == std::numeric_limits<uint64_t>::max() ? 0x1p64 : static_cast<double>(top + 1);
    } else {
      // At least 57 bits of it are significant where there is a rest, so that the rest only has to
      // break ties.
      const bool sticky = below > 0 && (rest_set || negative);
      magnitude = static_cast<double>(sticky ? top | 1 : top);
    }
    magnitude = std::ldexp(magnitude, static_cast<int>(below * 8));
    return negative ? -magnitude : magnitude;
  }

  ByteReader bytes_;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `count` hexadecimal digits at text[*at], which moves behind them.
bool TakeHex(absl::string_view text, size_t count, size_t* at, uint32_t* value) {
  if (text.size() - *at < count) return false;
  *value = 0;
  for (size_t i = 0; i < count; ++i, ++*at) {
    const int digit = HexDigit(text[*at]);
    if (digit < 0) return false;
    *value = *value << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

bool AppendUtf8(uint32_t code, std::string* to) {
  const auto add = [to](uint32_t byte) { to->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else if (code < 0x110000) {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    return false;
  }
  return true;
}

// Python's raw-unicode-escape: \uXXXX and \UXXXXXXXX behind an odd number of backslashes; other
// bytes are Latin-1.
bool AppendRawUnicode(absl::string_view text, std::string* to) {
  for (size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c != '\\' || at == text.size()) {
      AppendUtf8(static_cast<uint8_t>(c), to);
      continue;
    }
    const char kind = text[at];
    if (kind == 'u' || kind == 'U') {
      ++at;
      uint32_t code;
      if (!TakeHex(text, kind == 'u' ? 4 : 8, &at, &code) || !AppendUtf8(code, to)) return false;
    } else {
      to->push_back(c);
      if (kind == '\\') {
        to->push_back(kind);
        ++at;
      }
    }
  }
  return true;
}

// The escapes of a Python 2 string; the bytes are taken as UTF-8.
bool AppendStringEscapes(absl::string_view text, std::string* to) {
  constexpr absl::string_view kLetters = "\\'\"abfnrtv";
  constexpr absl::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
  for (size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c != '\\') {
      to->push_back(c);
      continue;
    }
    if (at == text.size()) return false;
    const char kind = text[at++];
    if (const size_t letter = kLetters.find(kind); letter != absl::string_view::npos) {
      to->push_back(kMeanings[letter]);
    } else if (kind == 'x') {
      uint32_t byte;
      if (!TakeHex(text, 2, &at, &byte)) return false;
      to->push_back(static_cast<char>(byte));
    } else if (kind >= '0' && kind <= '7') {
      uint32_t byte = static_cast<uint32_t>(kind - '0');
      for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) {
        byte = byte << 3 | static_cast<uint32_t>(text[at++] - '0');
      }
      to->push_back(static_cast<char>(byte));
    } else {
      // As Python: an escape that is none stays.
      to->push_back(c);
      to->push_back(kind);
    }
  }
  return true;
}

}  // namespace

const char* PickleErrorName(PickleError error) {
  constexpr std::array<const char*, kPickleErrorCount> kNames = {
      "none",     "foreign_opcode", "truncated",      "bad_argument", "bad_stack",
      "bad_memo", "too_deep",       "too_many_items", "not_a_list",   "trailing_bytes"};
  return kNames[static_cast<size_t>(error)];
}

PickleError NextPickleStep(absl::string_view* rest, PickleStep* step) {
  StepReader reader(*rest);
  const PickleError error = reader.Read(step);
  *rest = reader.rest();
  return error;
}

bool HasPickleEscapes(PickleOpcode opcode, absl::string_view text) {
  if (opcode == PickleOpcode::kString) return text.find('\\') != absl::string_view::npos;
  if (opcode != PickleOpcode::kUnicode) return false;
  for (const char c : text) {
    if (c == '\\' || static_cast<uint8_t>(c) >= 0x80) return true;
  }
  return false;
}

bool AppendUnescapedPickle(PickleOpcode opcode, absl::string_view text, std::string* to) {
  return opcode == PickleOpcode::kUnicode ? AppendRawUnicode(text, to)
                                          : AppendStringEscapes(text, to);
}

}  // namespace shoal
