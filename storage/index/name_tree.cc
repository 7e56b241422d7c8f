#include "storage/index/name_tree.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/metric/metric_name.h"

namespace shoal {
namespace {

constexpr size_t kNodesMax = 0xffffff00;

// Takes the first node off *rest; *done when it was the last. False when it was done before.
bool TakeNode(absl::string_view* rest, bool* done, absl::string_view* node) {
  if (*done) return false;
  const size_t dot = rest->find('.');
  *node = rest->substr(0, dot);
  *done = dot == absl::string_view::npos;
  if (!*done) rest->remove_prefix(dot + 1);
  return true;
}

}  // namespace

NameTree::NameTree() { nodes_.Grow(2); }  // the two roots
NameTree::~NameTree() = default;

size_t NameTree::bytes() const {
  size_t bytes = labels_.bytes() + nodes_.bytes() + places_.bytes();
  for (const auto& wide : wide_) {
    if (wide == nullptr) continue;
    bytes += sizeof(Wide) + wide->by_label.capacity() * (sizeof(NodeId) + 1);
    for (const auto& run : wide->runs) bytes += sizeof(run) + run.capacity() * sizeof(NodeId);
  }
  return bytes;
}

bool NameTree::full() const {
  return labels_.full() || nodes_.size() + kNameBytesMax > kNodesMax ||
         places_.size() + kChunkNodes > kPlacesMax - kChunkNodes;
}

// --- look-up ---

NameTree::NodeId NameTree::FindChild(NodeId parent, LabelId label) const {
  const uint32_t children = nodes_[parent].children;
  if (children == kNoChildren) return kNoNode;
  if (IsWide(children)) {
    const Wide& wide = *wide_[children & ~kWideBit];
    const auto it = wide.by_label.find(LabelKey{label});
    return it == wide.by_label.end() ? kNoNode : *it;
  }
  const Child* const places = PlacesOf(children);
  const size_t size = kBlockSizes[SizeClassOf(children)];
  for (size_t i = 0; i < size && places[i].node != kNoNode; ++i) {
    if (places[i].label == label) return places[i].node;
  }
  return kNoNode;
}

NameTree::NodeId NameTree::FindChild(NodeId parent, absl::string_view text) const {
  const LabelId label = labels_.Find(text);
  return label == LabelPool::kNone ? kNoNode : FindChild(parent, label);
}

SeriesId NameTree::Find(absl::string_view name) const {
  NodeId node = kRoot;
  if (IsTagged(name)) {
    node = FindChild(kTaggedRoot, name);
  } else {
    absl::string_view label;
    bool done = false;
    for (absl::string_view rest = name; node != kNoNode && TakeNode(&rest, &done, &label);) {
      node = FindChild(node, label);
    }
  }
  return node == kNoNode ? kNoSeries : nodes_[node].series;
}

std::string NameTree::NameOf(NodeId node) const {
  std::vector<absl::string_view> labels;
  size_t size = 0;
  for (; node != kRoot && node != kTaggedRoot; node = nodes_[node].parent) {
    labels.push_back(Label(node));
    size += labels.back().size() + 1;
  }
  std::string name;
  name.reserve(size);
  for (auto it = labels.rbegin(); it != labels.rend(); ++it) {
    if (!name.empty()) name.push_back('.');
    name.append(it->data(), it->size());
  }
  return name;
}

// --- children ---

void NameTree::InsertPlace(Child* places, size_t used, Child child) const {
  const absl::string_view label = labels_.Text(child.label);
  const Child* const before = std::lower_bound(
      places, places + used, label,
      [this](const Child& a, absl::string_view b) { return labels_.Text(a.label) < b; });
  const auto at = static_cast<size_t>(before - places);
  std::move_backward(places + at, places + used, places + used + 1);
  places[at] = child;
}

uint32_t NameTree::NewBlock(uint32_t size_class) {
  std::vector<uint32_t>& free = free_blocks_[size_class];
  if (!free.empty()) {
    const uint32_t block = free.back();
    free.pop_back();
    return block;
  }
  const size_t place = places_.Grow(kBlockSizes[size_class]);
  SHOAL_CHECK(place + kBlockMax < kPlacesMax);
  return (size_class << kPlaceBits) | static_cast<uint32_t>(place);
}

void NameTree::FreeBlock(uint32_t block) {
  const uint32_t size_class = SizeClassOf(block);
  std::fill_n(PlacesOf(block), kBlockSizes[size_class], Child());
  free_blocks_[size_class].push_back(block);
}

size_t NameTree::RunOf(const Wide& wide, absl::string_view label) const {
  const auto after =
      std::upper_bound(wide.runs.begin(), wide.runs.end(), label,
                       [this](absl::string_view text, const std::vector<NodeId>& run) {
                         return text < Label(run.front());
                       });
  return after == wide.runs.begin() ? 0 : static_cast<size_t>(after - wide.runs.begin()) - 1;
}

void NameTree::AddToWide(Wide* wide, NodeId child) {
  wide->by_label.insert(child);
  if (wide->runs.empty()) {
    wide->runs.push_back({child});
    return;
  }
  const absl::string_view label = Label(child);
  const size_t number = RunOf(*wide, label);
  std::vector<NodeId>& run = wide->runs[number];
  const auto by_label = [this](NodeId a, absl::string_view b) { return Label(a) < b; };
  run.insert(std::lower_bound(run.begin(), run.end(), label, by_label), child);
  if (run.size() <= kRunMax) return;
  // Names often arrive in order: then the full run is left behind full.
  const size_t kept =
      number + 1 == wide->runs.size() && run.back() == child ? kRunMax : kRunMax / 2;
  std::vector<NodeId> second(run.begin() + static_cast<std::ptrdiff_t>(kept), run.end());
  run.resize(kept);
  run.shrink_to_fit();
  wide->runs.insert(wide->runs.begin() + static_cast<std::ptrdiff_t>(number) + 1,
                    std::move(second));
}

void NameTree::RemoveFromWide(Wide* wide, NodeId child) {
  wide->by_label.erase(child);
  const size_t number = RunOf(*wide, Label(child));
  std::vector<NodeId>& run = wide->runs[number];
  const auto it = std::find(run.begin(), run.end(), child);
  SHOAL_CHECK(it != run.end());
  run.erase(it);
  if (run.empty()) wide->runs.erase(wide->runs.begin() + static_cast<std::ptrdiff_t>(number));
}

void NameTree::AddChild(NodeId parent, Child child) {
  uint32_t& children = nodes_[parent].children;
  if (children == kNoChildren) {
    children = NewBlock(0);
    *PlacesOf(children) = child;
    return;
  }
  if (IsWide(children)) return AddToWide(wide_[children & ~kWideBit].get(), child.node);
  const uint32_t old_block = children;
  const uint32_t size_class = SizeClassOf(old_block);
  const size_t size = kBlockSizes[size_class];
  Child* const places = PlacesOf(old_block);
  size_t used = size;
  while (used > 0 && places[used - 1].node == kNoNode) --used;
  if (used < size) return InsertPlace(places, used, child);
  if (size < kBlockMax) {
    children = NewBlock(size_class + 1);
    Child* const more = PlacesOf(children);
    std::copy(places, places + used, more);
    InsertPlace(more, used, child);
  } else {
    uint32_t number = static_cast<uint32_t>(wide_.size());
    if (free_wide_.empty()) {
      wide_.emplace_back();
    } else {
      number = free_wide_.back();
      free_wide_.pop_back();
    }
    wide_[number] = std::make_unique<Wide>(this);
    for (size_t i = 0; i < used; ++i) AddToWide(wide_[number].get(), places[i].node);
    AddToWide(wide_[number].get(), child.node);
    children = kWideBit | number;
  }
  FreeBlock(old_block);
}

void NameTree::RemoveChild(NodeId parent, NodeId child) {
  uint32_t& children = nodes_[parent].children;
  if (IsWide(children)) {
    const uint32_t number = children & ~kWideBit;
    RemoveFromWide(wide_[number].get(), child);
    if (!wide_[number]->runs.empty()) return;
    wide_[number] = nullptr;
    free_wide_.push_back(number);
    children = kNoChildren;
    return;
  }
  Child* const places = PlacesOf(children);
  Child* const end = places + kBlockSizes[SizeClassOf(children)];
  Child* const found =
      std::find_if(places, end, [child](const Child& c) { return c.node == child; });
  SHOAL_CHECK(found != end);
  std::move(found + 1, end, found);
  *(end - 1) = Child();
  if (places->node != kNoNode) return;
  FreeBlock(children);
  children = kNoChildren;
}

// --- names ---

NameTree::NodeId NameTree::ChildOrNew(NodeId parent, absl::string_view text) {
  if (const NodeId found = FindChild(parent, text); found != kNoNode) return found;
  NodeId id = 0;
  if (free_nodes_.empty()) {
    id = static_cast<NodeId>(nodes_.Grow(1));
  } else {
    id = free_nodes_.back();
    free_nodes_.pop_back();
  }
  const LabelId label = labels_.Acquire(text);
  nodes_[id] = {parent, label, kNoSeries, kNoChildren};
  AddChild(parent, {label, id});
  return id;
}

NameTree::NodeId NameTree::Insert(absl::string_view name, SeriesId series) {
  SHOAL_CHECK(!name.empty() && name.size() <= kNameBytesMax && series != kNoSeries);
  NodeId node = kRoot;
  if (IsTagged(name)) {
    node = ChildOrNew(kTaggedRoot, name);
  } else {
    absl::string_view label;
    bool done = false;
    for (absl::string_view rest = name; TakeNode(&rest, &done, &label);) {
      node = ChildOrNew(node, label);
    }
  }
  SHOAL_CHECK(nodes_[node].series == kNoSeries);
  nodes_[node].series = series;
  return node;
}

void NameTree::Remove(NodeId node) {
  nodes_[node].series = kNoSeries;
  while (node != kRoot && node != kTaggedRoot && nodes_[node].series == kNoSeries &&
         nodes_[node].children == kNoChildren) {
    const NodeId parent = nodes_[node].parent;
    RemoveChild(parent, node);
    labels_.Release(nodes_[node].label);
    nodes_[node] = Node();
    free_nodes_.push_back(node);
    node = parent;
  }
}

}  // namespace shoal
