// Globbing over the name tree: one walk that meets paths in byte order.
#include <algorithm>
#include <bitset>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/metric/metric_name.h"
#include "storage/index/name_tree.h"

namespace shoal {

template <typename Visit>
bool NameTree::ForEachChild(NodeId node, absl::string_view from, Visit visit) const {
  const uint32_t children = nodes_[node].children;
  if (children == kNoChildren) return true;
  if (!IsWide(children)) {
    const Child* const places = PlacesOf(children);
    const size_t size = kBlockSizes[SizeClassOf(children)];
    for (size_t i = 0; i < size && places[i].node != kNoNode; ++i) {
      if (!from.empty() && labels_.Text(places[i].label) < from) continue;
      if (!visit(places[i].node)) return false;
    }
    return true;
  }
  const Wide& wide = *wide_[children & ~kWideBit];
  for (size_t r = from.empty() ? 0 : RunOf(wide, from); r < wide.runs.size(); ++r) {
    const std::vector<NodeId>& run = wide.runs[r];
    size_t i = 0;
    if (!from.empty()) {
      const auto by_label = [this](NodeId a, absl::string_view b) { return Label(a) < b; };
      i = static_cast<size_t>(std::lower_bound(run.begin(), run.end(), from, by_label) -
                              run.begin());
    }
    for (; i < run.size(); ++i) {
      // What a walk touches of a node lies in four places, cold for most nodes of a wide level:
      // ask for them ahead.
      if (i + 16 < run.size()) __builtin_prefetch(&nodes_[run[i + 16]]);
      if (i + 8 < run.size()) {
        const Node& ahead = nodes_[run[i + 8]];
        __builtin_prefetch(labels_.Text(ahead.label).data());
        if (!IsWide(ahead.children)) __builtin_prefetch(PlacesOf(ahead.children));
      }
      if (!visit(run[i])) return false;
    }
  }
  return true;
}

// One walk for one alternative of a glob, or for all leaves.
//
// A set of places in the pattern stands for all ways to have come here, so every node of the tree
// is visited at most once, however many "**" there are.
class GlobWalk {
 public:
  using Pattern = std::vector<NodeGlob>;
  using NodeId = NameTree::NodeId;
  // False: enough.
  using Accept = absl::FunctionRef<bool(absl::string_view path, NodeId node)>;

  GlobWalk(const NameTree& tree, const Pattern& pattern, Accept accept)
      : tree_(tree), pattern_(pattern), accept_(accept), literals_(pattern.size()) {}

  // False when `accept` has had enough.
  bool Run() {
    if (!FindLiterals()) return true;
    States states;
    states.set(0);
    Closure(&states);
    return Below(NameTree::kRoot, states);
  }

 private:
  static constexpr size_t kPatternNodesMax = Glob::kNodesMax;
  using States = std::bitset<kPatternNodesMax>;
  // A node whose descendants come later: "a.c" sorts behind "a-b", the sibling that follows "a".
  struct Waiting {
    NodeId node;
    States states;
  };

  // Looks the literals up once. False when one that every match needs is no label of the tree.
  bool FindLiterals() {
    for (size_t s = 0; s < pattern_.size(); ++s) {
      if (pattern_[s].literals() == nullptr) continue;
      for (const std::string& text : *pattern_[s].literals()) {
        const LabelPool::Id label = tree_.labels_.Find(text);
        if (label != LabelPool::kNone) literals_[s].push_back(label);
      }
      if (literals_[s].empty()) return false;
    }
    return true;
  }

  void Closure(States* states) const {
    for (size_t s = 0; s + 1 < pattern_.size(); ++s) {
      // "**" stands for no node at all as well, but not at the end of the pattern.
      if (states->test(s) && pattern_[s].is_any_depth()) states->set(s + 1);
    }
  }

  bool Below(NodeId node, const States& states) {
    const size_t base = path_.size();
    const size_t waiting = waiting_.size();
    bool more = true;
    absl::string_view prefix;
    const size_t first = states._Find_first();
    const bool single = states.count() == 1 && !pattern_[first].is_any_depth();
    if (single && pattern_[first].literals() != nullptr) {
      for (const LabelPool::Id label : literals_[first]) {  // ascending by text
        const NodeId child = tree_.FindChild(node, label);
        if (child == NameTree::kNoNode) continue;
        more = Child(child, states, base, waiting);
        if (!more) break;
      }
    } else {
      if (single) prefix = pattern_[first].literal_prefix();
      tree_.ForEachChild(node, prefix, [&](NodeId child) {
        if (!prefix.empty() && !absl::StartsWith(tree_.Label(child), prefix)) return false;
        more = Child(child, states, base, waiting);
        return more;
      });
    }
    while (more && waiting_.size() > waiting) more = TakeWaiting(base);
    waiting_.resize(waiting);
    path_.resize(base);
    return more;
  }

  bool Child(NodeId child, const States& states, size_t base, size_t waiting) {
    const absl::string_view label = tree_.Label(child);
    while (waiting_.size() > waiting && !StaysWaiting(waiting_.back().node, label)) {
      if (!TakeWaiting(base)) return false;
    }
    States next;
    bool accepted = false;
    for (size_t s = states._Find_first(); s < pattern_.size(); s = states._Find_next(s)) {
      const bool last = s + 1 == pattern_.size();
      if (pattern_[s].is_any_depth()) {
        next.set(s);
        accepted = accepted || last;
      } else if (pattern_[s].Match(label)) {
        if (last) {
          accepted = true;
        } else {
          next.set(s + 1);
        }
      }
    }
    if (accepted) {
      path_.append(label.data(), label.size());
      const bool more = accept_(path_, child);
      path_.resize(base);
      if (!more) return false;
    }
    if (next.any() && tree_.nodes_[child].children != NameTree::kNoChildren) {
      Closure(&next);
      waiting_.push_back({child, next});
    }
    return true;
  }

  // Whether the path of `label` sorts before those below the waiting sibling, whose label is
  // smaller.
  bool StaysWaiting(NodeId waiting, absl::string_view label) const {
    const absl::string_view before = tree_.Label(waiting);
    return label.size() > before.size() && label[before.size()] < '.' &&
           absl::StartsWith(label, before);
  }

  bool TakeWaiting(size_t base) {
    const Waiting taken = waiting_.back();
    waiting_.pop_back();
    const absl::string_view label = tree_.Label(taken.node);
    path_.append(label.data(), label.size());
    path_.push_back('.');
    const bool more = Below(taken.node, taken.states);
    path_.resize(base);
    return more;
  }

  const NameTree& tree_;
  const Pattern& pattern_;
  const Accept accept_;
  std::vector<std::vector<LabelPool::Id>> literals_;  // by place in the pattern
  std::string path_;
  std::vector<Waiting> waiting_;  // of all levels, the deepest last
};

void NameTree::Glob(const shoal::Glob& glob,
                    absl::FunctionRef<bool(const Match& match)> visit) const {
  const auto visit_both = [&](absl::string_view path, NodeId id) {
    const Node& node = nodes_[id];
    if (node.children != kNoChildren && !visit({path, false, kNoSeries})) return false;
    return node.series == kNoSeries || visit({path, true, node.series});
  };
  if (IsTagged(glob.pattern())) {
    const NodeId node = FindChild(kTaggedRoot, absl::string_view(glob.pattern()));
    if (node != kNoNode) visit_both(glob.pattern(), node);
    return;
  }
  if (glob.alternatives().size() == 1) {
    GlobWalk(*this, glob.alternatives().front(), visit_both).Run();
    return;
  }
  // Each alternative has its own order, and a name may match several.
  std::vector<std::pair<std::string, NodeId>> found;
  for (const GlobWalk::Pattern& alternative : glob.alternatives()) {
    GlobWalk(*this, alternative, [&](absl::string_view path, NodeId node) {
      found.emplace_back(path, node);
      return true;
    }).Run();
    if (found.size() > nodes_.size()) {
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  for (const auto& [path, node] : found) {
    if (!visit_both(path, node)) return;
  }
}

void NameTree::VisitLeaves(
    absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const {
  // Two ordered streams, merged: names and tagged names.
  std::vector<NodeId> tagged;
  ForEachChild(kTaggedRoot, "", [&](NodeId node) {
    tagged.push_back(node);
    return true;
  });
  auto next_tagged = tagged.begin();
  const absl::StatusOr<NodeGlob> all = NodeGlob::Compile("**");
  const GlobWalk::Pattern pattern{*all};
  GlobWalk(*this, pattern, [&](absl::string_view name, NodeId node) {
    if (nodes_[node].series == kNoSeries) return true;
    for (; next_tagged != tagged.end() && Label(*next_tagged) < name; ++next_tagged) {
      visit(Label(*next_tagged), nodes_[*next_tagged].series);
    }
    visit(name, nodes_[node].series);
    return true;
  }).Run();
  for (; next_tagged != tagged.end(); ++next_tagged) {
    visit(Label(*next_tagged), nodes_[*next_tagged].series);
  }
}

}  // namespace shoal
