// Carbon's pickle protocol: a list of (name, (timestamp, value)), read without building objects and
// without evaluating anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "router/ingest/pickle_opcodes.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {

struct PickleLimits {
  // Values that a pickle may hold at once, on its stack, in its memo and in its list together; 16
  // bytes each. Two are needed for a point, so that a frame of 1 MiB may have 32,768.
  size_t items_max = 64 << 10;
  int depth_max = 16;
  // Of texts with escapes, which only protocol 0 writes, together; others stay where they are.
  size_t unescaped_bytes_max = 256 << 10;
};

// A small machine that knows nothing but texts, numbers, pairs of both and the list around them.
// What cannot be part of a point is an opaque value in it, counted where it turns up in the list.
// Keeps its buffers from one pickle to the next. Belongs to one thread.
class PickleParser {
 public:
  explicit PickleParser(const PickleLimits& limits) : limits_(limits) {}

  // The points of one pickle, protocols 0 to 5: a list or tuple of pairs, each of a name and a pair
  // of timestamp and value. Pairs may be tuples or lists; numbers may be texts, as for Python's
  // float().
  //
  // Anything but kNone: the whole message is refused, nothing has been called, and the connection
  // should end. Otherwise on_point is called for each good element, in order, and on_bad for each
  // other one with what is wrong and its name, empty when it has none. Names are not validated yet.
  // The views are valid during the call only.
  PickleError Parse(absl::string_view pickle, uint32_t now_sec, const LineSyntax& syntax,
                    absl::FunctionRef<void(const ParsedLine&)> on_point,
                    absl::FunctionRef<void(LineError, absl::string_view)> on_bad);

 private:
  enum class Kind : uint8_t {
    kNumber,
    kText,
    kDatum,         // (timestamp, value)
    kPoint,         // (name, datum)
    kOpaque,        // not a point nor a part of one
    kList,          // one that is not the root, empty or with something that makes no pair
    kTextInList,    // a list of a text and nothing else yet
    kNumberInList,  // the same of a number
    kDict,
    kRoot,  // the list of points
  };
  // A text is a range of the pickle, or of unescaped_ where it starts past the pickle's end.
  struct Text {
    uint32_t offset;
    uint32_t size;
  };
  struct Item {
    Kind kind;
    bool from_list;   // a pair that was a list: more may be added
    uint8_t depth;    // of nesting, 0 for what holds nothing
    LineError error;  // kOpaque: why it is no point
    uint32_t index;   // kDatum, kPoint: in data_; kRoot: which one
    union {
      double number;  // kNumber
      Text text;      // kText, kPoint; kOpaque: the name, as far as there is one
    };
  };
  static_assert(sizeof(Item) == 16);
  struct Datum {
    double timestamp;
    double value;
  };

  PickleError FindGets(absl::string_view pickle);
  PickleError Run(absl::string_view pickle);
  PickleError Execute(const PickleStep& step);
  PickleError PushText(const PickleStep& step);
  PickleError Push(const Item& item);
  PickleError PushNew(Kind kind);
  PickleError Put(uint32_t slot);
  PickleError Get(uint32_t slot);
  PickleError PopMark(size_t* first);
  PickleError MakeTuple(size_t first);
  PickleError AddToList(size_t first);
  PickleError AddToDict(size_t first);
  PickleError DemoteRoot();
  PickleError BeginRoot(size_t first, bool is_list);
  // The pair (left, right): a datum, a point, or opaque.
  PickleError MakePair(const Item& left, const Item& right, Item* pair);
  PickleError CheckSize() const;
  bool NumberOf(const Item& item, double* number) const;
  absl::string_view TextOf(const Text& text) const;
  void Emit(uint32_t now_sec, const LineSyntax& syntax,
            absl::FunctionRef<void(const ParsedLine&)> on_point,
            absl::FunctionRef<void(LineError, absl::string_view)> on_bad) const;

  const PickleLimits limits_;
  absl::string_view pickle_;
  std::string unescaped_;
  std::vector<Item> stack_;
  std::vector<uint32_t> marks_;  // positions in stack_
  size_t fence_ = 0;             // the last mark: nothing below it may be taken
  // Picklers put nearly everything and get nearly nothing: only slots that some get asks for are
  // kept, in order.
  std::vector<uint32_t> slots_;
  std::vector<Item> memo_;
  std::vector<bool> memo_set_;
  uint32_t memoized_ = 0;  // by kMemoize, which numbers by itself
  bool put_by_number_ = false;
  uint32_t roots_ = 0;
  std::vector<Item> elements_;  // of the newest root
  std::vector<Datum> data_;
};

}  // namespace shoal
