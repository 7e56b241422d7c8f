#include "node/write_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "points.pb.h"
#include "proto/convert.h"

namespace shoal {
namespace {

// Batches in flight, whatever their size: a stream of tiny batches is bounded too.
constexpr size_t kInflightBatchesMax = 4096;

// What a batch holds in memory while it is in flight.
size_t BatchBytes(const v1::PointBatch& batch) {
  return 256 + static_cast<size_t>(batch.refs_size()) * 20;
}

}  // namespace

WriteSession::WriteSession(Engine* engine, const NodeLimits& limits, WriteMetrics* metrics)
    : engine_(engine),
      inflight_bytes_max_(static_cast<size_t>(limits.write_inflight_bytes_max)),
      metrics_(metrics),
      retry_interval_(std::chrono::milliseconds(limits.refused_retry_ms)),
      state_(std::make_shared<State>()) {}

WriteSession::~WriteSession() { WaitForEngine(); }

void WriteSession::WaitForEngine() {
  MutexLock lock(&state_->mu);
  while (state_->in_engine > 0) state_->changed.Wait(&state_->mu);
}

absl::StatusOr<uint32_t> WriteSession::ResolveRef(uint32_t ref, absl::string_view name) {
  const absl::StatusOr<SeriesId> series = engine_->Resolve(name);
  if (series.ok()) {
    refused_names_.erase(ref);
    return *series;
  }
  switch (series.status().code()) {
    case absl::StatusCode::kInvalidArgument:
      return RefDictionary::RefusalEntry(RefusalReason::kBadName);
    case absl::StatusCode::kResourceExhausted:
      if (refused_names_.size() < kRefusedNamesMax || refused_names_.contains(ref)) {
        refused_names_[ref] = {std::string(name),
                               std::chrono::steady_clock::now() + retry_interval_};
      }
      return RefDictionary::RefusalEntry(RefusalReason::kSeriesLimit);
    default:
      return Annotate(series.status(), "the node cannot take new series now");
  }
}

absl::Status WriteSession::Define(const v1::PointBatch& batch) {
  for (int i = 0; i < batch.defined_refs_size(); ++i) {
    const uint32_t ref = batch.defined_refs(i);
    SHOAL_ASSIGN_OR_RETURN(const uint32_t entry, ResolveRef(ref, batch.defined_names(i)));
    const uint32_t before = dictionary_.Find(ref);
    const bool was_refused = before == RefDictionary::RefusalEntry(RefusalReason::kSeriesLimit);
    if (before != RefDictionary::kUndefined && before != entry && !was_refused) {
      metrics_->bad_batches->Add();
      return absl::InvalidArgumentError(
          absl::StrCat("batch ", batch.sequence(), " defines ref ", ref, " as something else"));
    }
    if (!dictionary_.Define(ref, entry)) {
      return absl::ResourceExhaustedError(
          "the stream's dictionary is full: open a new stream, which starts an empty one");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> WriteSession::TryRefusedAgain(uint32_t ref, uint32_t entry) {
  const auto refused = refused_names_.find(ref);
  if (refused == refused_names_.end() ||
      std::chrono::steady_clock::now() < refused->second.next_try) {
    return entry;
  }
  const std::string name = refused->second.name;
  SHOAL_ASSIGN_OR_RETURN(const uint32_t again, ResolveRef(ref, name));
  dictionary_.Define(ref, again);  // its page is there
  return again;
}

absl::Status WriteSession::Translate(const v1::PointBatch& batch, WriteBatch* to,
                                     Pending* pending) {
  const size_t count = static_cast<size_t>(batch.refs_size());
  const uint32_t* refs = batch.refs().data();
  const uint32_t* timestamps_sec = batch.timestamps_sec().data();
  const double* values = batch.values().data();
  to->series.resize(count);
  bool any_refused = false;
  for (size_t i = 0; i < count; ++i) {
    uint32_t entry = dictionary_.Find(refs[i]);
    if (!RefDictionary::IsSeries(entry) && entry != RefDictionary::kUndefined) {
      SHOAL_ASSIGN_OR_RETURN(entry, TryRefusedAgain(refs[i], entry));
    }
    to->series[i] = entry;
    if (RefDictionary::IsSeries(entry)) continue;
    if (entry == RefDictionary::kUndefined) {
      metrics_->bad_batches->Add();
      return absl::InvalidArgumentError(absl::StrCat("batch ", batch.sequence(), " uses ref ",
                                                     refs[i], ", which is not defined"));
    }
    any_refused = true;
  }
  if (!any_refused) {
    to->timestamps_sec.assign(timestamps_sec, timestamps_sec + count);
    to->values.assign(values, values + count);
    return absl::OkStatus();
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t entry = to->series[i];
    if (!RefDictionary::IsSeries(entry)) {
      const RefusalReason reason = RefDictionary::ReasonOf(entry);
      pending->refused.push_back({static_cast<uint32_t>(i), reason});
      (reason == RefusalReason::kBadName ? metrics_->refused_bad_name
                                         : metrics_->refused_series_limit)
          ->Add();
      continue;
    }
    to->series[kept++] = entry;
    to->timestamps_sec.push_back(timestamps_sec[i]);
    to->values.push_back(values[i]);
    pending->index_map.push_back(static_cast<uint32_t>(i));
  }
  to->series.resize(kept);
  return absl::OkStatus();
}

absl::Status WriteSession::AwaitRoom(size_t bytes) {
  MutexLock lock(&state_->mu);
  while (state_->failure.ok() && !state_->pending.empty() &&
         (state_->pending.size() >= kInflightBatchesMax ||
          state_->pending_bytes + bytes > inflight_bytes_max_)) {
    state_->changed.Wait(&state_->mu);
  }
  return state_->failure;
}

absl::Status WriteSession::Accept(const v1::PointBatch& batch) {
  metrics_->batches->Add();
  if (absl::Status status = ValidateBatch(batch); !status.ok()) {
    metrics_->bad_batches->Add();
    return status;
  }
  if (batch.sequence() != last_sequence_ + 1) {
    metrics_->bad_batches->Add();
    return absl::InvalidArgumentError(
        absl::StrCat("batch ", batch.sequence(), " follows batch ", last_sequence_));
  }
  Pending pending;
  pending.sequence = batch.sequence();
  pending.bytes = BatchBytes(batch);
  pending.arrived = std::chrono::steady_clock::now();
  SHOAL_RETURN_IF_ERROR(AwaitRoom(pending.bytes));
  SHOAL_RETURN_IF_ERROR(Define(batch));
  WriteBatch write;
  SHOAL_RETURN_IF_ERROR(Translate(batch, &write, &pending));
  metrics_->points->Add(static_cast<uint64_t>(batch.refs_size()));
  last_sequence_ = batch.sequence();

  // A batch without points for the engine still waits for its turn: definitions alone need no sync
  // of their own, they become durable with the first point that uses them.
  const bool empty = write.series.empty();
  {
    MutexLock lock(&state_->mu);
    if (!state_->failure.ok()) return state_->failure;
    state_->pending_bytes += pending.bytes;
    pending.done = empty;
    state_->pending.push_back(std::move(pending));
    if (empty) {
      state_->changed.SignalAll();
      return absl::OkStatus();
    }
    ++state_->in_engine;
  }
  engine_->Write(std::move(write),
                 [state = state_, sequence = batch.sequence()](WriteResult result) {
                   OnWritten(state.get(), sequence, std::move(result));
                 });
  return absl::OkStatus();
}

void WriteSession::OnWritten(State* state, uint64_t sequence, WriteResult result) {
  MutexLock lock(&state->mu);
  --state->in_engine;
  for (const Refusal& refusal : result.refused) {
    if (refusal.reason != RefusalReason::kSeriesGone || !result.status.ok()) continue;
    // The router sends the batch again on a new stream, whose names are resolved anew: the point
    // then begins a fresh series.
    result.status = absl::UnavailableError("a series of the stream was deleted");
  }
  if (!result.status.ok()) {
    state->failed_sequence = std::min(state->failed_sequence, sequence);
    if (state->failure.ok()) state->failure = result.status;
  } else {
    // Invariant: a batch leaves `pending` only after it is done, so this one is still there.
    Pending& pending = state->pending[sequence - state->pending.front().sequence];
    for (Refusal& refusal : result.refused) {
      if (!pending.index_map.empty()) refusal.index = pending.index_map[refusal.index];
      pending.refused.push_back(refusal);
    }
    std::sort(pending.refused.begin(), pending.refused.end(),
              [](const Refusal& a, const Refusal& b) { return a.index < b.index; });
    pending.done = true;
  }
  state->changed.SignalAll();
}

bool WriteSession::NextAck(BatchAck* ack, bool* more) {
  MutexLock lock(&state_->mu);
  while (true) {
    if (!state_->pending.empty()) {
      Pending& front = state_->pending.front();
      if (front.sequence >= state_->failed_sequence) return false;
      if (front.done) {
        metrics_->ack_seconds->Observe(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - front.arrived)
                .count());
        ack->sequence = front.sequence;
        ack->refused = std::move(front.refused);
        state_->pending_bytes -= front.bytes;
        state_->pending.pop_front();
        *more = !state_->pending.empty() && state_->pending.front().done &&
                state_->pending.front().sequence < state_->failed_sequence;
        state_->changed.SignalAll();
        return true;
      }
    } else if (!state_->reading || !state_->failure.ok()) {
      return false;
    }
    state_->changed.Wait(&state_->mu);
  }
}

void WriteSession::FinishReading() {
  MutexLock lock(&state_->mu);
  state_->reading = false;
  state_->changed.SignalAll();
}

void WriteSession::Stop(absl::Status reason) {
  MutexLock lock(&state_->mu);
  if (state_->failure.ok()) state_->failure = std::move(reason);
  state_->changed.SignalAll();
}

absl::Status WriteSession::failure() const {
  MutexLock lock(&state_->mu);
  return state_->failure;
}

bool WriteSession::WaitForReader(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(&state_->mu);
  while (state_->reading) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    state_->changed.WaitFor(&state_->mu, left);
  }
  return true;
}

}  // namespace shoal
