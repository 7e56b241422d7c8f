#include "router/forward/chunk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace shoal {

const char* NodeRefusalName(NodeRefusal refusal) {
  switch (refusal) {
    case NodeRefusal::kOther:
      return "other";
    case NodeRefusal::kTooOld:
      return "too_old";
    case NodeRefusal::kTooFarAhead:
      return "too_far_ahead";
    case NodeRefusal::kSeriesLimit:
      return "series_limit";
    case NodeRefusal::kBadName:
      return "bad_name";
  }
  return "other";
}

bool EnoughCopies(int replication, int write_copies, int missing, int spooled) {
  // Every way in which the copies of one point can fall on missing and spooled batches.
  for (int point_missing = 0; point_missing <= std::min(missing, replication); ++point_missing) {
    const int spooled_max = std::min(spooled, replication - point_missing);
    for (int point_spooled = 0; point_spooled <= spooled_max; ++point_spooled) {
      const int places = replication - point_missing - point_spooled + (point_spooled > 0 ? 1 : 0);
      if (places < write_copies) return false;
    }
  }
  return true;
}

Chunk::Chunk(uint32_t points, int batches, int replication, int write_copies, MemoryCharge charge,
             std::function<void(const ChunkResult&)> on_complete)
    : points_(points),
      replication_(replication),
      write_copies_(write_copies),
      outstanding_(batches),
      charge_(std::move(charge)),
      on_complete_(std::move(on_complete)) {}

Chunk::~Chunk() = default;

void Chunk::NodeAcked(absl::Span<const uint32_t> indexes, absl::Span<const RefusedPoint> refused) {
  {
    MutexLock lock(&mu_);
    SHOAL_CHECK(outstanding_ > 0);
    --outstanding_;
    if (complete_) return;
    for (const RefusedPoint& point : refused) {
      SHOAL_CHECK(point.index < indexes.size());
      const uint32_t index = indexes[point.index];
      SHOAL_CHECK(index < points_);
      if (refused_.empty()) refused_.resize(points_);
      if (refused_[index]) continue;
      refused_[index] = true;
      ++refused_count_;
      ++result_.rejected[static_cast<size_t>(point.reason)];
    }
    if (!Decide()) return;
  }
  Finish();
}

void Chunk::Spooled() {
  {
    MutexLock lock(&mu_);
    SHOAL_CHECK(outstanding_ > 0);
    --outstanding_;
    ++spooled_;
    if (complete_ || !Decide()) return;
  }
  Finish();
}

void Chunk::SpooledReachedNode() {
  {
    MutexLock lock(&mu_);
    SHOAL_CHECK(spooled_ > 0);
    --spooled_;
    if (complete_ || !Decide()) return;
  }
  Finish();
}

void Chunk::Lost(bool was_spooled) {
  {
    MutexLock lock(&mu_);
    int& from = was_spooled ? spooled_ : outstanding_;
    SHOAL_CHECK(from > 0);
    --from;
    ++lost_;
    if (complete_ || !Decide()) return;
  }
  Finish();
}

bool Chunk::complete() const {
  MutexLock lock(&mu_);
  return complete_;
}

bool Chunk::Decide() {
  if (EnoughCopies(replication_, write_copies_, outstanding_ + lost_, spooled_)) {
    result_.acked = points_ - refused_count_;
  } else if (!EnoughCopies(replication_, write_copies_, lost_, 0)) {
    // No report that is still to come can help.
    result_.dropped = points_ - refused_count_;
  } else {
    return false;
  }
  complete_ = true;
  return true;
}

void Chunk::Finish() {
  charge_.Release();
  // Released with its captures when it has run: they may hold connections.
  const std::function<void(const ChunkResult&)> on_complete = std::move(on_complete_);
  on_complete(result_);
}

}  // namespace shoal
