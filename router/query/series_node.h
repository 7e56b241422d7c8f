// Nodes and tags of series names, as aliasByNode and groupByNode pick them.
#pragma once

#include <string>
#include <vector>

#include "router/query/function_registry.h"

namespace shoal {

// The chosen nodes (integers, negative from the end) and tags (text) joined with dots. Nodes are
// those of the first path in the name when it ends with ')', of the name otherwise, without its
// tags. What does not exist is empty.
std::string NodesKey(const TimeSeries& series, const std::vector<Value>& nodes);

// Python's list[start:stop] bounds for a list of `size` elements: negative numbers count from the
// end.
struct Slice {
  size_t begin = 0;
  size_t end = 0;
};
Slice PythonSlice(int64_t start, int64_t stop, size_t size);

}  // namespace shoal
