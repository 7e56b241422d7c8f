#include "router/ingest/pickle_parser.h"

#include <algorithm>

#include "router/ingest/point_check.h"

namespace shoal {
namespace {

// What a vector may keep between pickles.
constexpr size_t kKeptItems = 16 << 10;
constexpr size_t kPickleBytesMax = 1 << 30;

template <typename T>
void Reuse(std::vector<T>* items) {
  if (items->capacity() > kKeptItems) std::vector<T>().swap(*items);
  items->clear();
}

}  // namespace

PickleError PickleParser::Parse(absl::string_view pickle, uint32_t now_sec,
                                const LineSyntax& syntax,
                                absl::FunctionRef<void(const ParsedLine&)> on_point,
                                absl::FunctionRef<void(LineError, absl::string_view)> on_bad) {
  // Texts are kept as 32-bit ranges of the pickle and, behind it, of what was unescaped.
  if (pickle.size() > kPickleBytesMax) return PickleError::kTooManyItems;
  pickle_ = pickle;
  unescaped_.clear();
  Reuse(&stack_);
  Reuse(&marks_);
  Reuse(&slots_);
  Reuse(&memo_);
  memo_set_.clear();
  Reuse(&elements_);
  Reuse(&data_);
  fence_ = 0;
  memoized_ = 0;
  put_by_number_ = false;
  roots_ = 0;

  if (const PickleError error = FindGets(pickle); error != PickleError::kNone) return error;
  if (const PickleError error = Run(pickle); error != PickleError::kNone) return error;
  if (stack_.size() != 1 || !marks_.empty() || stack_[0].kind != Kind::kRoot ||
      stack_[0].index != roots_) {
    return PickleError::kNotAList;
  }
  Emit(now_sec, syntax, on_point, on_bad);
  return PickleError::kNone;
}

// The first of two passes: refuses foreign opcodes before anything is built, and sees which memo
// slots are read at all.
PickleError PickleParser::FindGets(absl::string_view pickle) {
  const auto keep_distinct = [this] {
    std::sort(slots_.begin(), slots_.end());
    slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
  };
  absl::string_view rest = pickle;
  PickleStep step;
  for (;;) {
    if (const PickleError error = NextPickleStep(&rest, &step); error != PickleError::kNone) {
      return error;
    }
    switch (step.opcode) {
      case PickleOpcode::kStop:
        if (!rest.empty()) return PickleError::kTrailingBytes;
        keep_distinct();
        memo_.resize(slots_.size());
        memo_set_.resize(slots_.size());
        return CheckSize();
      case PickleOpcode::kGet:
      case PickleOpcode::kBinGet:
      case PickleOpcode::kLongBinGet:
        if (slots_.size() >= limits_.items_max) {
          keep_distinct();
          // Half of them, or sorting again and again would cost too much.
          if (slots_.size() > limits_.items_max / 2) return PickleError::kTooManyItems;
        }
        slots_.push_back(step.slot);
        break;
      default:
        break;
    }
  }
}

PickleError PickleParser::Run(absl::string_view pickle) {
  absl::string_view rest = pickle;
  PickleStep step;
  for (;;) {
    if (const PickleError error = NextPickleStep(&rest, &step); error != PickleError::kNone) {
      return error;
    }
    if (step.opcode == PickleOpcode::kStop) return PickleError::kNone;
    if (const PickleError error = Execute(step); error != PickleError::kNone) return error;
  }
}

PickleError PickleParser::Execute(const PickleStep& step) {
  size_t first = 0;
  switch (step.opcode) {
    case PickleOpcode::kStop:
    case PickleOpcode::kProto:
    case PickleOpcode::kFrame:
      return PickleError::kNone;

    case PickleOpcode::kInt:
    case PickleOpcode::kBinInt:
    case PickleOpcode::kBinInt1:
    case PickleOpcode::kBinInt2:
    case PickleOpcode::kLong:
    case PickleOpcode::kLong1:
    case PickleOpcode::kLong4:
    case PickleOpcode::kFloat:
    case PickleOpcode::kBinFloat:
    case PickleOpcode::kNewTrue:
    case PickleOpcode::kNewFalse: {
      Item item = {};
      item.kind = Kind::kNumber;
      item.number = step.number;
      return Push(item);
    }
    case PickleOpcode::kString:
    case PickleOpcode::kBinString:
    case PickleOpcode::kShortBinString:
    case PickleOpcode::kUnicode:
    case PickleOpcode::kBinUnicode:
    case PickleOpcode::kShortBinUnicode:
    case PickleOpcode::kBinUnicode8:
    case PickleOpcode::kBinBytes:
    case PickleOpcode::kShortBinBytes:
      return PushText(step);
    case PickleOpcode::kNone:
      return PushNew(Kind::kOpaque);
    case PickleOpcode::kEmptyDict:
      return PushNew(Kind::kDict);

    case PickleOpcode::kEmptyList:
      return stack_.empty() && marks_.empty() ? BeginRoot(0, true) : PushNew(Kind::kList);
    case PickleOpcode::kEmptyTuple:
      return MakeTuple(stack_.size());
    case PickleOpcode::kTuple1:
    case PickleOpcode::kTuple2:
    case PickleOpcode::kTuple3: {
      const size_t count = step.opcode == PickleOpcode::kTuple1   ? 1
                           : step.opcode == PickleOpcode::kTuple2 ? 2
                                                                  : 3;
      if (stack_.size() - fence_ < count) return PickleError::kBadStack;
      return MakeTuple(stack_.size() - count);
    }

    case PickleOpcode::kMark:
      marks_.push_back(static_cast<uint32_t>(stack_.size()));
      fence_ = stack_.size();
      return CheckSize();
    case PickleOpcode::kPop:
      if (stack_.size() > fence_) {
        stack_.pop_back();
        return PickleError::kNone;
      }
      return PopMark(&first);
    case PickleOpcode::kPopMark:
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      stack_.resize(first);
      return PickleError::kNone;
    case PickleOpcode::kTuple:
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      return MakeTuple(first);
    case PickleOpcode::kList: {
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      if (first == 0) return BeginRoot(0, true);
      // An empty list below the elements, and they are added to it.
      Item list = {};
      list.kind = Kind::kList;
      stack_.insert(stack_.begin() + static_cast<ptrdiff_t>(first), list);
      return AddToList(first + 1);
    }
    case PickleOpcode::kAppend:
      if (stack_.size() - fence_ < 2) return PickleError::kBadStack;
      return AddToList(stack_.size() - 1);
    case PickleOpcode::kAppends:
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      return AddToList(first);
    case PickleOpcode::kDict: {
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      Item dict = {};
      dict.kind = Kind::kDict;
      stack_.insert(stack_.begin() + static_cast<ptrdiff_t>(first), dict);
      return AddToDict(first + 1);
    }
    case PickleOpcode::kSetItem:
      if (stack_.size() - fence_ < 3) return PickleError::kBadStack;
      return AddToDict(stack_.size() - 2);
    case PickleOpcode::kSetItems:
      if (const PickleError error = PopMark(&first); error != PickleError::kNone) return error;
      return AddToDict(first);

    case PickleOpcode::kPut:
    case PickleOpcode::kBinPut:
    case PickleOpcode::kLongBinPut:
      // What number kMemoize would go on with is not worth knowing: no pickler writes both.
      put_by_number_ = true;
      return memoized_ == 0 ? Put(step.slot) : PickleError::kBadMemo;
    case PickleOpcode::kMemoize:
      return put_by_number_ ? PickleError::kBadMemo : Put(memoized_++);
    case PickleOpcode::kGet:
    case PickleOpcode::kBinGet:
    case PickleOpcode::kLongBinGet:
      return Get(step.slot);
  }
  return PickleError::kForeignOpcode;
}

PickleError PickleParser::CheckSize() const {
  const size_t items =
      stack_.size() + marks_.size() + memo_.size() + elements_.size() + data_.size();
  return items <= limits_.items_max ? PickleError::kNone : PickleError::kTooManyItems;
}

PickleError PickleParser::Push(const Item& item) {
  stack_.push_back(item);
  return CheckSize();
}

PickleError PickleParser::PushNew(Kind kind) {
  Item item = {};
  item.kind = kind;
  item.error = LineError::kBadFieldCount;
  return Push(item);
}

PickleError PickleParser::PushText(const PickleStep& step) {
  Item item = {};
  item.kind = Kind::kText;
  if (HasPickleEscapes(step.opcode, step.text)) {
    // A Latin-1 byte becomes two.
    if (unescaped_.size() + 2 * step.text.size() > limits_.unescaped_bytes_max) {
      return PickleError::kTooManyItems;
    }
    const size_t begin = unescaped_.size();
    if (!AppendUnescapedPickle(step.opcode, step.text, &unescaped_)) {
      return PickleError::kBadArgument;
    }
    item.text = {static_cast<uint32_t>(pickle_.size() + begin),
                 static_cast<uint32_t>(unescaped_.size() - begin)};
  } else {
    item.text = {static_cast<uint32_t>(step.text.data() - pickle_.data()),
                 static_cast<uint32_t>(step.text.size())};
  }
  return Push(item);
}

absl::string_view PickleParser::TextOf(const Text& text) const {
  return text.offset >= pickle_.size()
             ? absl::string_view(unescaped_).substr(text.offset - pickle_.size(), text.size)
             : pickle_.substr(text.offset, text.size);
}

PickleError PickleParser::Put(uint32_t slot) {
  if (stack_.size() <= fence_) return PickleError::kBadStack;
  const auto found = std::lower_bound(slots_.begin(), slots_.end(), slot);
  if (found == slots_.end() || *found != slot) return PickleError::kNone;
  const size_t index = static_cast<size_t>(found - slots_.begin());
  Item& item = memo_[index];
  item = stack_.back();
  memo_set_[index] = true;
  if (item.kind != Kind::kRoot) {
    // Lists are put empty and filled later, which the memo does not see: got from there such a list
    // is no part of a point, and nothing can be added to it.
    item.from_list = false;
    if (item.kind == Kind::kList) item.kind = Kind::kOpaque;
  }
  return PickleError::kNone;
}

PickleError PickleParser::Get(uint32_t slot) {
  const auto found = std::lower_bound(slots_.begin(), slots_.end(), slot);
  const size_t index = static_cast<size_t>(found - slots_.begin());
  if (found == slots_.end() || *found != slot || !memo_set_[index]) return PickleError::kBadMemo;
  return Push(memo_[index]);
}

PickleError PickleParser::PopMark(size_t* first) {
  if (marks_.empty()) return PickleError::kBadStack;
  *first = marks_.back();
  marks_.pop_back();
  fence_ = marks_.empty() ? 0 : marks_.back();
  return PickleError::kNone;
}

bool PickleParser::NumberOf(const Item& item, double* number) const {
  if (item.kind == Kind::kNumber) {
    *number = item.number;
    return true;
  }
  return item.kind == Kind::kText && ParseNumberText(TextOf(item.text), number);
}

PickleError PickleParser::MakePair(const Item& left, const Item& right, Item* pair) {
  const int depth = 1 + std::max(left.depth, right.depth);
  if (depth > limits_.depth_max) return PickleError::kTooDeep;
  *pair = {};
  pair->depth = static_cast<uint8_t>(depth);
  if (left.kind == Kind::kText && right.kind == Kind::kDatum) {
    pair->kind = Kind::kPoint;
    pair->index = right.index;
    pair->text = left.text;
    return PickleError::kNone;
  }
  Datum datum;
  const bool left_is_number = NumberOf(left, &datum.timestamp);
  if (left_is_number && NumberOf(right, &datum.value)) {
    pair->kind = Kind::kDatum;
    pair->index = static_cast<uint32_t>(data_.size());
    data_.push_back(datum);
    return CheckSize();
  }
  pair->kind = Kind::kOpaque;
  pair->text = {};
  if (left.kind == Kind::kText && right.kind == Kind::kOpaque && right.depth == 1) {
    // (name, (timestamp, value)) with something wrong in the inner pair.
    pair->error = right.error;
    pair->text = left.text;
  } else if (depth == 1) {
    pair->error = left_is_number ? LineError::kBadValue : LineError::kBadTimestamp;
  } else {
    pair->error = LineError::kBadFieldCount;
  }
  return PickleError::kNone;
}

// stack_[first..] become one item. Invariant: it stands where the first of them stood.
PickleError PickleParser::MakeTuple(size_t first) {
  const size_t count = stack_.size() - first;
  if (first == 0 && count > 0) {
    if (const PickleError error = DemoteRoot(); error != PickleError::kNone) return error;
  }
  Item tuple = {};
  if (count == 2) {
    const PickleError error = MakePair(stack_[first], stack_[first + 1], &tuple);
    if (error != PickleError::kNone) return error;
  }
  // At the bottom of the stack it may be the whole message, unless it makes part of a point.
  const bool part = count == 2 && (tuple.kind != Kind::kOpaque || tuple.depth == 1);
  if (first == 0 && !part) return BeginRoot(0, false);
  if (count != 2) {
    int depth = 0;
    for (size_t i = first; i < stack_.size(); ++i) depth = std::max<int>(depth, stack_[i].depth);
    if (++depth > limits_.depth_max) return PickleError::kTooDeep;
    tuple.kind = Kind::kOpaque;
    tuple.error = LineError::kBadFieldCount;
    tuple.depth = static_cast<uint8_t>(depth);
  }
  stack_.resize(first);
  return Push(tuple);
}

// The list at the bottom was taken for the root, and turns out to be the first element of a tuple.
PickleError PickleParser::DemoteRoot() {
  Item& list = stack_[0];
  if (list.kind != Kind::kRoot || !list.from_list || list.index != roots_) {
    return PickleError::kNone;
  }
  if (elements_.size() == 2) {
    Item pair;
    const PickleError error = MakePair(elements_[0], elements_[1], &pair);
    if (error != PickleError::kNone) return error;
    list = pair;
  } else {
    list.kind = Kind::kOpaque;
    list.error = LineError::kBadFieldCount;
    list.text = {};
  }
  return PickleError::kNone;
}

// The items at and above `first`, or none, are the elements of what is at stack_[first] now.
PickleError PickleParser::BeginRoot(size_t first, bool is_list) {
  int depth = 0;
  for (size_t i = first; i < stack_.size(); ++i) depth = std::max<int>(depth, stack_[i].depth);
  if (++depth > limits_.depth_max) return PickleError::kTooDeep;
  elements_.assign(stack_.begin() + static_cast<ptrdiff_t>(first), stack_.end());
  stack_.resize(first);
  Item root = {};
  root.kind = Kind::kRoot;
  root.from_list = is_list;
  root.depth = static_cast<uint8_t>(depth);
  root.index = ++roots_;
  return Push(root);
}

// stack_[first..] are added to the list below them.
PickleError PickleParser::AddToList(size_t first) {
  if (first == 0 || first - 1 < fence_) return PickleError::kBadStack;
  Item& list = stack_[first - 1];
  const size_t count = stack_.size() - first;
  if (list.kind == Kind::kRoot && list.from_list && list.index == roots_) {
    elements_.insert(elements_.end(), stack_.begin() + static_cast<ptrdiff_t>(first), stack_.end());
    for (size_t i = first; i < stack_.size(); ++i) {
      if (stack_[i].depth + 1 > limits_.depth_max) return PickleError::kTooDeep;
    }
    stack_.resize(first);
    return CheckSize();
  }
  if (list.kind != Kind::kList && !list.from_list) return PickleError::kBadStack;
  // ["name", [timestamp, value]] is as good as tuples: protocol 0 adds one after the other, the
  // rest both at once.
  const bool was_empty = list.kind == Kind::kList && list.depth == 0;
  const bool had_one = list.kind == Kind::kTextInList || list.kind == Kind::kNumberInList;
  if (count == 0) return PickleError::kNone;
  if ((was_empty && count == 2) || (had_one && count == 1)) {
    Item left = stack_[first];
    if (had_one) {
      left = list;
      left.kind = list.kind == Kind::kTextInList ? Kind::kText : Kind::kNumber;
      left.depth = 0;
    }
    Item pair;
    const PickleError error = MakePair(left, stack_.back(), &pair);
    if (error != PickleError::kNone) return error;
    pair.from_list = true;
    list = pair;
  } else if (was_empty && count == 1 &&
             (stack_[first].kind == Kind::kText || stack_[first].kind == Kind::kNumber)) {
    list = stack_[first];
    list.kind = list.kind == Kind::kText ? Kind::kTextInList : Kind::kNumberInList;
    list.from_list = true;
    list.depth = 1;
  } else {
    int depth = list.depth;
    for (size_t i = first; i < stack_.size(); ++i) {
      depth = std::max(depth, stack_[i].depth + 1);
    }
    if (depth > limits_.depth_max) return PickleError::kTooDeep;
    list.kind = Kind::kList;
    list.error = LineError::kBadFieldCount;
    list.depth = static_cast<uint8_t>(depth);
    list.text = {};
  }
  stack_.resize(first);
  return PickleError::kNone;
}

PickleError PickleParser::AddToDict(size_t first) {
  if (first == 0 || first - 1 < fence_ || stack_[first - 1].kind != Kind::kDict ||
      (stack_.size() - first) % 2 != 0) {
    return PickleError::kBadStack;
  }
  Item& dict = stack_[first - 1];
  dict.error = LineError::kBadFieldCount;
  for (size_t i = first; i < stack_.size(); ++i) {
    dict.depth = std::max<uint8_t>(dict.depth, static_cast<uint8_t>(stack_[i].depth + 1));
  }
  if (dict.depth > limits_.depth_max) return PickleError::kTooDeep;
  stack_.resize(first);
  return CheckSize();
}

void PickleParser::Emit(uint32_t now_sec, const LineSyntax& syntax,
                        absl::FunctionRef<void(const ParsedLine&)> on_point,
                        absl::FunctionRef<void(LineError, absl::string_view)> on_bad) const {
  for (const Item& item : elements_) {
    if (item.kind == Kind::kPoint) {
      ParsedLine point;
      point.name = TextOf(item.text);
      const Datum& datum = data_[item.index];
      const LineError error = CheckNumbers(datum.timestamp, datum.value, now_sec, syntax, &point);
      if (error == LineError::kNone) {
        on_point(point);
      } else {
        on_bad(error, point.name);
      }
    } else if (item.kind == Kind::kOpaque && item.depth == 2) {
      on_bad(item.error, TextOf(item.text));
    } else {
      on_bad(LineError::kBadFieldCount, "");
    }
  }
}

}  // namespace shoal
