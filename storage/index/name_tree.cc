#include "storage/index/name_tree.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metric/metric_name.h"

namespace shoal {
namespace {

constexpr size_t kArenaBytes = 64 << 10;
// Children that arrived since the last sort are scanned one by one; past this many (or an eighth)
// they are merged in.
constexpr size_t kUnsortedMax = 64;

// Takes the first node off *rest.
absl::string_view TakeNode(absl::string_view* rest) {
  const size_t dot = rest->find('.');
  const absl::string_view node = rest->substr(0, dot);
  rest->remove_prefix(dot == absl::string_view::npos ? rest->size() : dot + 1);
  return node;
}

}  // namespace

NameTree::NameTree() : by_key_(0, Hasher{this}, Equal{this}) {
  nodes_.resize(2);  // the two roots
}
NameTree::~NameTree() = default;

NameTree::NodeId NameTree::Child(NodeId parent, absl::string_view label) const {
  const auto it = by_key_.find(Key{parent, label});
  return it == by_key_.end() ? kNoNode : *it;
}

SeriesId NameTree::Find(absl::string_view name) const {
  NodeId node = kRoot;
  if (IsTagged(name)) {
    node = Child(kTaggedRoot, name);
  } else {
    for (absl::string_view rest = name; node != kNoNode && !rest.empty();) {
      node = Child(node, TakeNode(&rest));
    }
  }
  return node == kNoNode ? kNoSeries : nodes_[node].series;
}

const char* NameTree::StoreLabel(absl::string_view label) {
  if (label.size() > arena_left_) {
    arena_left_ = std::max(kArenaBytes, label.size());
    arena_.push_back(std::make_unique<char[]>(arena_left_));
    arena_next_ = arena_.back().get();
  }
  char* const stored = arena_next_;
  std::memcpy(stored, label.data(), label.size());
  arena_next_ += label.size();
  arena_left_ -= label.size();
  return stored;
}

void NameTree::AddChild(NodeId parent, NodeId child) {
  std::unique_ptr<Children>& children = nodes_[parent].children;
  if (children == nullptr) children = std::make_unique<Children>();
  std::vector<NodeId>& nodes = children->nodes;
  nodes.push_back(child);
  if (nodes.size() - children->sorted <= std::max(kUnsortedMax, children->sorted / 8)) return;
  const auto by_label = [this](NodeId a, NodeId b) { return Label(a) < Label(b); };
  const auto middle = nodes.begin() + static_cast<std::ptrdiff_t>(children->sorted);
  std::sort(middle, nodes.end(), by_label);
  std::inplace_merge(nodes.begin(), middle, nodes.end(), by_label);
  children->sorted = nodes.size();
}

void NameTree::RemoveChild(NodeId parent, NodeId child) {
  std::unique_ptr<Children>& children = nodes_[parent].children;
  const auto it = std::find(children->nodes.begin(), children->nodes.end(), child);
  SHOAL_CHECK(it != children->nodes.end());
  if (static_cast<size_t>(it - children->nodes.begin()) < children->sorted) --children->sorted;
  children->nodes.erase(it);
  if (children->nodes.empty()) children = nullptr;
}

NameTree::NodeId NameTree::ChildOrNew(NodeId parent, absl::string_view label) {
  if (const NodeId found = Child(parent, label); found != kNoNode) return found;
  NodeId id = 0;
  if (free_.empty()) {
    id = static_cast<NodeId>(nodes_.size());
    nodes_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Node& node = nodes_[id];
  node.parent = parent;
  node.series = kNoSeries;
  node.label = StoreLabel(label);
  node.label_size = static_cast<uint32_t>(label.size());
  by_key_.insert(id);
  AddChild(parent, id);
  return id;
}

NameTree::NodeId NameTree::Insert(absl::string_view name, SeriesId series) {
  SHOAL_CHECK(!name.empty() && series != kNoSeries);
  NodeId node = kRoot;
  if (IsTagged(name)) {
    node = ChildOrNew(kTaggedRoot, name);
  } else {
    for (absl::string_view rest = name; !rest.empty();) node = ChildOrNew(node, TakeNode(&rest));
  }
  SHOAL_CHECK(nodes_[node].series == kNoSeries);
  nodes_[node].series = series;
  return node;
}

void NameTree::Remove(NodeId node) {
  nodes_[node].series = kNoSeries;
  while (node != kRoot && node != kTaggedRoot && nodes_[node].series == kNoSeries &&
         nodes_[node].children == nullptr) {
    const NodeId parent = nodes_[node].parent;
    by_key_.erase(node);
    RemoveChild(parent, node);
    nodes_[node] = Node();
    free_.push_back(node);
    node = parent;
  }
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

// Which nodes of the pattern may match next. Walking with the whole set visits every node of the
// tree at most once, however many "**" there are.
void NameTree::Closure(const Pattern& pattern, States* states) {
  for (size_t s = 0; s + 1 < pattern.size(); ++s) {
    // "**" stands for no node at all as well, but not at the end of the pattern.
    if (states->test(s) && pattern[s].is_any_depth()) states->set(s + 1);
  }
}

void NameTree::GlobBelow(NodeId node, const Pattern& pattern, const States& states,
                         std::vector<NodeId>* found) const {
  const Children* const children = nodes_[node].children.get();
  if (children == nullptr || states.none()) return;
  const auto try_child = [&](NodeId child) {
    States next;
    bool accepted = false;
    for (size_t s = 0; s < pattern.size(); ++s) {
      if (!states.test(s)) continue;
      const bool last = s + 1 == pattern.size();
      if (pattern[s].is_any_depth()) {
        next.set(s);
        accepted = accepted || last;
      } else if (pattern[s].Match(Label(child))) {
        if (last) {
          accepted = true;
        } else {
          next.set(s + 1);
        }
      }
    }
    if (accepted) found->push_back(child);
    Closure(pattern, &next);
    GlobBelow(child, pattern, next, found);
  };

  auto it = children->nodes.begin();
  const auto sorted_end = it + static_cast<std::ptrdiff_t>(children->sorted);
  std::string prefix;
  if (states.count() == 1) {
    const NodeGlob& only = pattern[states._Find_first()];
    if (only.is_literal() && !only.is_any_depth()) {
      if (const NodeId child = Child(node, only.literal()); child != kNoNode) try_child(child);
      return;
    }
    if (!only.is_any_depth()) prefix = only.literal_prefix();
  }
  it = std::lower_bound(it, sorted_end, prefix, [this](NodeId child, const std::string& text) {
    return Label(child) < absl::string_view(text);
  });
  for (; it != sorted_end && absl::StartsWith(Label(*it), prefix); ++it) try_child(*it);
  for (it = sorted_end; it != children->nodes.end(); ++it) try_child(*it);
}

std::vector<NameTree::Match> NameTree::Glob(const shoal::Glob& glob) const {
  std::vector<NodeId> found;
  if (IsTagged(glob.pattern())) {
    if (const NodeId node = Child(kTaggedRoot, glob.pattern()); node != kNoNode)
      found.push_back(node);
  } else {
    for (const Pattern& alternative : glob.alternatives()) {
      if (alternative.empty() || alternative.size() > kPatternNodesMax) continue;
      States states;
      states.set(0);
      Closure(alternative, &states);
      GlobBelow(kRoot, alternative, states, &found);
      if (found.size() > nodes_.size()) {
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());

  std::vector<Match> matches;
  matches.reserve(found.size());
  for (const NodeId id : found) {
    const Node& node = nodes_[id];
    std::string path = NameOf(id);
    if (node.children != nullptr) matches.push_back({path, false, kNoSeries});
    if (node.series != kNoSeries) matches.push_back({std::move(path), true, node.series});
  }
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    const int order = a.path.compare(b.path);
    return order != 0 ? order < 0 : !a.is_leaf && b.is_leaf;
  });
  return matches;
}

void NameTree::VisitBelow(NodeId node, std::string* path,
                          absl::FunctionRef<void(absl::string_view, SeriesId)> visit) const {
  if (nodes_[node].children == nullptr) return;
  // Byte order of whole names: a child's own name sorts by its label, the names below it by the
  // label and a dot ("a", "a-b", "a.c").
  struct Item {
    std::string key;
    NodeId child;
    bool below;
  };
  std::vector<Item> items;
  for (const NodeId child : nodes_[node].children->nodes) {
    if (nodes_[child].series != kNoSeries)
      items.push_back({std::string(Label(child)), child, false});
    if (nodes_[child].children != nullptr)
      items.push_back({absl::StrCat(Label(child), "."), child, true});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.key < b.key; });
  const size_t size = path->size();
  for (const Item& item : items) {
    path->append(item.key);
    if (item.below) {
      VisitBelow(item.child, path, visit);
    } else {
      visit(*path, nodes_[item.child].series);
    }
    path->resize(size);
  }
}

void NameTree::VisitLeaves(absl::FunctionRef<void(absl::string_view, SeriesId)> visit) const {
  // Two ordered streams, merged: names and tagged names.
  std::vector<NodeId> tagged;
  if (nodes_[kTaggedRoot].children != nullptr) tagged = nodes_[kTaggedRoot].children->nodes;
  std::sort(tagged.begin(), tagged.end(),
            [this](NodeId a, NodeId b) { return Label(a) < Label(b); });
  auto next_tagged = tagged.begin();
  std::string path;
  VisitBelow(kRoot, &path, [&](absl::string_view name, SeriesId series) {
    for (; next_tagged != tagged.end() && Label(*next_tagged) < name; ++next_tagged) {
      visit(Label(*next_tagged), nodes_[*next_tagged].series);
    }
    visit(name, series);
  });
  for (; next_tagged != tagged.end(); ++next_tagged) {
    visit(Label(*next_tagged), nodes_[*next_tagged].series);
  }
}

}  // namespace shoal
