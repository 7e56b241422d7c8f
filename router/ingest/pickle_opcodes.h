// The opcodes of Python's pickle that a list of points is made of. Everything else, above all what
// can name or call a function, is unknown here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// The bytes of the pickle format, protocols 0 to 5.
enum class PickleOpcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kFloat = 'F',
  kBinFloat = 'G',
  kInt = 'I',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kLong = 'L',
  kBinInt2 = 'M',
  kNone = 'N',
  kString = 'S',
  kBinString = 'T',
  kShortBinString = 'U',
  kUnicode = 'V',
  kBinUnicode = 'X',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kAppend = 'a',
  kDict = 'd',
  kAppends = 'e',
  kGet = 'g',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kPut = 'p',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyList = ']',
  kEmptyDict = '}',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kMemoize = 0x94,
  kFrame = 0x95,
};

// Why a whole pickle was refused. The names (PickleErrorName) are label values: frozen.
enum class PickleError : uint8_t {
  kNone,
  kForeignOpcode,  // none of the above
  kTruncated,      // ends within an opcode or without kStop
  kBadArgument,    // an opcode with an argument that it cannot have
  kBadStack,       // takes what is not there, or adds to what is not a list or a dict
  kBadMemo,        // gets what was not put
  kTooDeep,        // nested past PickleLimits::depth_max
  kTooManyItems,   // holds more at once than PickleLimits::items_max
  kNotAList,       // ends with something else than one list or tuple
  kTrailingBytes,  // goes on behind kStop
};
inline constexpr size_t kPickleErrorCount = 10;
const char* PickleErrorName(PickleError error);  // "foreign_opcode", ...

// One opcode with its argument.
struct PickleStep {
  PickleOpcode opcode;
  absl::string_view text;  // of strings: the bytes as they lie; of kString without its quotes
  double number = 0;       // of numbers; texts without a number are refused
  uint32_t slot = 0;       // of puts and gets
};

// Takes the next step off *rest, which is not trusted. PickleError::kNone, or what is wrong with
// it: foreign, truncated, or with an argument that it cannot have.
PickleError NextPickleStep(absl::string_view* rest, PickleStep* step);

// The UTF-8 text of a kString or kUnicode argument with its escapes resolved, appended to *to. Only
// needed where HasPickleEscapes. False for an escape that is cut or malformed.
bool HasPickleEscapes(PickleOpcode opcode, absl::string_view text);
bool AppendUnescapedPickle(PickleOpcode opcode, absl::string_view text, std::string* to);

}  // namespace shoal
