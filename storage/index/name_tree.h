// The metric names as a tree by node ("a.b.c": a, then b, then c), in memory: exact look-up and
// globbing.
//
// About 32 bytes a node, its label and a hash entry. Tagged names ("name;k=v") are not part of the
// hierarchy: each is one leaf with the whole name as its label, found by exact look-up only.
//
// Threads: none of its own; MetricIndex guards it.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/checksum.h"
#include "base/metric/glob.h"
#include "storage/series_schema.h"

namespace shoal {

class NameTree {
 public:
  using NodeId = uint32_t;
  static constexpr NodeId kNoNode = 0xffffffff;

  struct Match {
    std::string path;
    bool is_leaf = false;
    SeriesId series = kNoSeries;  // of a leaf
  };

  NameTree();
  ~NameTree();
  NameTree(const NameTree&) = delete;
  NameTree& operator=(const NameTree&) = delete;

  // The series of a full name; kNoSeries when there is none.
  SeriesId Find(absl::string_view name) const;
  // Makes the name a leaf for `series`; the name must not be a leaf yet. The node names the series
  // until Remove.
  NodeId Insert(absl::string_view name, SeriesId series);
  // The node stops being a leaf; it and the branches above go when nothing is left below.
  void Remove(NodeId node);
  std::string NameOf(NodeId node) const;

  // All branches and leaves that match, ordered by path in byte order; a path that is both comes as
  // a branch, then as a leaf.
  std::vector<Match> Glob(const shoal::Glob& glob) const;
  // Every leaf, ordered by name in byte order.
  void VisitLeaves(absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const;

 private:
  struct Children {
    std::vector<NodeId> nodes;  // ascending by label up to `sorted`, in order of arrival behind it
    size_t sorted = 0;
  };
  struct Node {
    NodeId parent = kNoNode;
    SeriesId series = kNoSeries;
    const char* label = nullptr;  // in the arena
    uint32_t label_size = 0;
    std::unique_ptr<Children> children;  // null: none
  };
  struct Key {
    NodeId parent;
    absl::string_view label;
  };
  struct Hasher {
    using is_transparent = void;
    const NameTree* tree;
    size_t operator()(const Key& key) const { return Hash64(key.label, key.parent); }
    size_t operator()(NodeId node) const { return (*this)(tree->KeyOf(node)); }
  };
  struct Equal {
    using is_transparent = void;
    const NameTree* tree;
    bool operator()(NodeId a, NodeId b) const { return a == b; }
    bool operator()(NodeId a, const Key& b) const {
      const Key key = tree->KeyOf(a);
      return key.parent == b.parent && key.label == b.label;
    }
    bool operator()(const Key& a, NodeId b) const { return (*this)(b, a); }
  };

  Key KeyOf(NodeId node) const {
    return {nodes_[node].parent, {nodes_[node].label, nodes_[node].label_size}};
  }
  absl::string_view Label(NodeId node) const {
    return {nodes_[node].label, nodes_[node].label_size};
  }
  NodeId Child(NodeId parent, absl::string_view label) const;
  NodeId ChildOrNew(NodeId parent, absl::string_view label);
  const char* StoreLabel(absl::string_view label);
  void AddChild(NodeId parent, NodeId child);
  void RemoveChild(NodeId parent, NodeId child);

  using Pattern = std::vector<NodeGlob>;
  static constexpr size_t kPatternNodesMax = shoal::Glob::kNodesMax;
  using States = std::bitset<kPatternNodesMax>;
  static void Closure(const Pattern& pattern, States* states);
  void GlobBelow(NodeId node, const Pattern& pattern, const States& states,
                 std::vector<NodeId>* found) const;
  void VisitBelow(NodeId node, std::string* path,
                  absl::FunctionRef<void(absl::string_view, SeriesId)> visit) const;

  static constexpr NodeId kRoot = 0;
  static constexpr NodeId kTaggedRoot = 1;

  std::deque<Node> nodes_;
  std::vector<NodeId> free_;
  absl::flat_hash_set<NodeId, Hasher, Equal> by_key_;
  std::vector<std::unique_ptr<char[]>> arena_;  // labels of removed nodes stay until the end
  size_t arena_left_ = 0;
  char* arena_next_ = nullptr;
};

}  // namespace shoal
