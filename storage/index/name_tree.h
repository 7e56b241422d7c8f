// The metric names as a tree by node ("a.b.c": a, then b, then c), in memory: exact look-up and
// globbing.
//
// A node takes 16 bytes, its place among its siblings 8 to 16, and its label is kept once for the
// whole tree. Tagged names ("name;k=v") are not part of the hierarchy: each is one leaf with the
// whole name as its label, found by exact look-up only.
//
// Threads: none of its own; MetricIndex guards it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/metric/glob.h"
#include "storage/index/chunked_array.h"
#include "storage/index/label_pool.h"
#include "storage/series_schema.h"

namespace shoal {

class NameTree {
 public:
  using NodeId = uint32_t;
  static constexpr NodeId kNoNode = 0xffffffff;

  struct Match {
    absl::string_view path;  // valid during the visit
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
  // a branch, then as a leaf. Ends early when `visit` returns false.
  void Glob(const shoal::Glob& glob, absl::FunctionRef<bool(const Match& match)> visit) const;
  // Every leaf, ordered by name in byte order.
  void VisitLeaves(absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const;

  // About what the tree takes in memory.
  size_t bytes() const;
  // Whether one more name might not fit (thousands of millions of them).
  bool full() const;

 private:
  friend class GlobWalk;
  using LabelId = LabelPool::Id;

  struct Node {
    NodeId parent = kNoNode;
    LabelId label = LabelPool::kNone;
    SeriesId series = kNoSeries;
    uint32_t children = kNoChildren;  // a block or a Wide, see below
  };
  struct Child {
    LabelId label = LabelPool::kNone;
    NodeId node = kNoNode;
  };
  // Up to kBlockMax children lie in a block, ascending by label, unused places (kNoNode) behind
  // them: a literal is found by comparing label ids, one after the other. More have a Wide, whose
  // hash set costs more cache misses than a host's hundred or two metrics cost comparisons.
  static constexpr uint32_t kBlockSizes[] = {1, 2, 3, 5, 8, 12, 20, 32, 48, 72, 108, 160, 240};
  static constexpr size_t kBlockSizeCount = sizeof(kBlockSizes) / sizeof(kBlockSizes[0]);
  static constexpr size_t kBlockMax = kBlockSizes[kBlockSizeCount - 1];
  struct LabelKey {
    LabelId label;
  };
  struct ByLabelHash {
    using is_transparent = void;
    const NameTree* tree;
    size_t operator()(LabelKey key) const { return absl::HashOf(key.label); }
    size_t operator()(NodeId node) const { return absl::HashOf(tree->nodes_[node].label); }
  };
  struct ByLabelEqual {
    using is_transparent = void;
    const NameTree* tree;
    bool operator()(NodeId a, NodeId b) const { return a == b; }
    bool operator()(NodeId a, LabelKey b) const { return tree->nodes_[a].label == b.label; }
    bool operator()(LabelKey a, NodeId b) const { return tree->nodes_[b].label == a.label; }
  };
  struct Wide {
    explicit Wide(const NameTree* tree) : by_label(0, ByLabelHash{tree}, ByLabelEqual{tree}) {}
    // Ascending by label over all runs. A run is never empty and has at most kRunMax children.
    std::vector<std::vector<NodeId>> runs;
    absl::flat_hash_set<NodeId, ByLabelHash, ByLabelEqual> by_label;
  };
  static constexpr size_t kRunMax = 512;

  // The value of Node::children: kNoChildren; kWideBit | index into wide_; or the index into
  // kBlockSizes (4 bits) and the block's place in places_ (27 bits).
  static constexpr uint32_t kNoChildren = 0xffffffff;
  static constexpr uint32_t kWideBit = 0x80000000;
  static constexpr int kPlaceBits = 27;
  static_assert(kBlockSizeCount <= 16);
  static constexpr size_t kPlacesMax = size_t{1} << kPlaceBits;
  static bool IsWide(uint32_t children) { return (children & kWideBit) != 0; }
  static uint32_t SizeClassOf(uint32_t block) { return block >> kPlaceBits; }
  Child* PlacesOf(uint32_t block) { return &places_[block & (kPlacesMax - 1)]; }
  const Child* PlacesOf(uint32_t block) const { return &places_[block & (kPlacesMax - 1)]; }

  absl::string_view Label(NodeId node) const { return labels_.Text(nodes_[node].label); }
  NodeId FindChild(NodeId parent, LabelId label) const;
  NodeId FindChild(NodeId parent, absl::string_view text) const;
  NodeId ChildOrNew(NodeId parent, absl::string_view label);
  void AddChild(NodeId parent, Child child);
  void RemoveChild(NodeId parent, NodeId child);
  // `places` has room for one more than `used`.
  void InsertPlace(Child* places, size_t used, Child child) const;
  uint32_t NewBlock(uint32_t size_class);
  void FreeBlock(uint32_t block);
  void AddToWide(Wide* wide, NodeId child);
  void RemoveFromWide(Wide* wide, NodeId child);
  // The run that holds the label, or where it belongs.
  size_t RunOf(const Wide& wide, absl::string_view label) const;
  // The children from the first label on that is not before `from`, ascending by label. Ends early
  // when `visit` returns false, and returns it then.
  template <typename Visit>
  bool ForEachChild(NodeId node, absl::string_view from, Visit visit) const;

  static constexpr NodeId kRoot = 0;
  static constexpr NodeId kTaggedRoot = 1;
  static constexpr size_t kChunkNodes = 1 << 16;

  LabelPool labels_;
  ChunkedArray<Node, kChunkNodes> nodes_;
  std::vector<NodeId> free_nodes_;
  ChunkedArray<Child, kChunkNodes> places_;
  std::vector<uint32_t> free_blocks_[kBlockSizeCount];  // by size class
  std::vector<std::unique_ptr<Wide>> wide_;
  std::vector<uint32_t> free_wide_;
};

}  // namespace shoal
