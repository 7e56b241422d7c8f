#include "router/forward/node_client.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "router/forward/spool_record.h"
#include "router/forward/stream_dictionary.h"

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kKeeperTick{20};
constexpr std::chrono::milliseconds kPersistInterval{250};
constexpr std::chrono::milliseconds kSpoolRetry{100};
// One group: one sync.
constexpr size_t kSpoolGroupBatches = 256;
constexpr size_t kSpoolGroupBytes = 8 << 20;
// A batch that ended so many streams in a row is given up.
constexpr int kComplaintsMax = 5;

}  // namespace

struct NodeClient::Metrics {
  Metrics(MetricRegistry* registry, const std::string& node) {
    const Labels labels = {{"node", node}};
    acked_points = registry->AddCounter("shoal_router_node_acked_points_total",
                                        "Points that a node acknowledged.", labels);
    connects = registry->AddCounter("shoal_router_node_streams_total",
                                    "Write streams that a node accepted.", labels);
    connect_failures = registry->AddCounter("shoal_router_node_connect_failures_total",
                                            "Write streams that could not be opened.", labels);
    resent_batches = registry->AddCounter("shoal_router_node_resent_batches_total",
                                          "Batches that were sent, not acknowledged in time, and "
                                          "sent or spooled again.",
                                          labels);
    lost_points = registry->AddCounter("shoal_router_node_lost_points_total",
                                       "Points given up because the node would not read their "
                                       "batch.",
                                       labels);
    spooled_points =
        registry->AddCounter("shoal_router_spool_points_total",
                             "Points that were written to the spool and synced.", labels);
    replayed_points =
        registry->AddCounter("shoal_router_spool_replayed_points_total",
                             "Points of the spool that the node acknowledged.", labels);
    spool_dropped_points =
        registry->AddCounter("shoal_router_spool_dropped_points_total",
                             "Points of the spool that were given up because it was full.", labels);
    spool_errors = registry->AddCounter("shoal_router_spool_errors_total",
                                        "Failed writes, syncs and reads of the spool.", labels);
    spool_damaged =
        registry->AddCounter("shoal_router_spool_damaged_records_total",
                             "Records of the spool that could not be read back.", labels);
    for (size_t i = 0; i < kNodeRefusalCount; ++i) {
      replay_refused[i] = registry->AddCounter(
          "shoal_router_spool_refused_points_total",
          "Points of the spool that the node did not take any more.",
          {{"node", node}, {"reason", NodeRefusalName(static_cast<NodeRefusal>(i))}});
    }
    ack_seconds = registry->AddHistogram("shoal_router_node_ack_seconds",
                                         "From the making of a batch to its acknowledgement.",
                                         MetricRegistry::LatencyBounds(), labels);
  }

  Counter* acked_points;
  Counter* connects;
  Counter* connect_failures;
  Counter* resent_batches;
  Counter* lost_points;
  Counter* spooled_points;
  Counter* replayed_points;
  Counter* spool_dropped_points;
  Counter* spool_errors;
  Counter* spool_damaged;
  std::array<Counter*, kNodeRefusalCount> replay_refused;
  Histogram* ack_seconds;
};

NodeClient::NodeClient(NodeClientOptions options, std::unique_ptr<NodeTransport> transport,
                       std::unique_ptr<HintSpool> spool, MetricRegistry* metrics)
    : options_(std::move(options)),
      transport_(std::move(transport)),
      spool_(std::move(spool)),
      metrics_(std::make_unique<Metrics>(metrics, options_.hello.node)) {
  MutexLock lock(&mu_);
  consumed_ = persisted_ = spool_->consumed_at_open();
  if (spool_->had_records_at_open()) {
    mode_ = Mode::kSpooling;
    spool_used_ = true;
  }
}

NodeClient::~NodeClient() { Stop(); }

void NodeClient::Start() {
  sender_ = std::thread([this] { SenderMain(); });
  keeper_ = std::thread([this] { KeeperMain(); });
}

void NodeClient::Enqueue(std::shared_ptr<NodeBatch> batch) {
  MutexLock lock(&mu_);
  if (!HasOutstanding()) last_progress_ = std::chrono::steady_clock::now();
  queue_.push_back(std::move(batch));
  if (mode_ == Mode::kLive) {
    sender_cv_.Signal();
  } else {
    keeper_cv_.Signal();
  }
}

ReplicaState NodeClient::StateLocked() const {
  if (!stream_up_) return ReplicaState::kDown;
  return mode_ == Mode::kSpooling || spool_used_ ? ReplicaState::kCatchingUp : ReplicaState::kWhole;
}

ReplicaState NodeClient::State() const {
  MutexLock lock(&mu_);
  return StateLocked();
}

NodeClientStatus NodeClient::Status() const {
  NodeClientStatus status;
  MutexLock lock(&mu_);
  // An empty log still has its header.
  if (spool_used_) status.spool_bytes = spool_->bytes();
  status.state = StateLocked();
  status.pending_batches = queue_.size() + window_.size();
  if (any_ack_) {
    status.last_ack_age_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::steady_clock::now() - last_ack_)
                                 .count();
  }
  status.last_error = last_error_;
  return status;
}

void NodeClient::Drain(std::chrono::milliseconds patience) {
  MutexLock lock(&mu_);
  draining_ = true;
  drain_deadline_ = std::chrono::steady_clock::now() + patience;
  keeper_cv_.Signal();
}

void NodeClient::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    sender_cv_.SignalAll();
  }
  if (sender_.joinable()) sender_.join();
  {
    MutexLock lock(&mu_);
    keeper_stopping_ = true;
    keeper_cv_.SignalAll();
  }
  if (keeper_.joinable()) keeper_.join();
}

// The stream.

void NodeClient::SenderMain() {
  SetThreadName(absl::StrCat("send-", options_.hello.node));
  std::minstd_rand random(static_cast<uint32_t>(options_.incarnation_base));
  std::chrono::milliseconds backoff{0};
  while (true) {
    const std::shared_ptr<WriteStream> stream = transport_->NewStream();
    absl::Status status = OpenStream(stream);
    const bool connected = status.ok();
    bool progress = false;
    if (connected) {
      uint64_t epoch = 0;
      Time before;
      {
        MutexLock lock(&mu_);
        epoch = epoch_;
        before = last_ack_;
      }
      std::thread receiver([this, &stream, epoch] { ReceiverMain(stream.get(), epoch); });
      SendAll(stream.get(), epoch);
      stream->Cancel();
      receiver.join();
      status = stream->Finish();
      MutexLock lock(&mu_);
      TearDown(epoch, "");
      progress = last_ack_ != before;
    }
    NoteStreamEnd(status, connected, progress);

    MutexLock lock(&mu_);
    stream_ = nullptr;
    if (stopping_) return;
    if (!connected && mode_ == Mode::kLive) EnterSpooling("it does not answer");
    // A stream that got something done is replaced at once.
    if (progress) {
      backoff = std::chrono::milliseconds(0);
      continue;
    }
    backoff = std::clamp(backoff * 2, options_.backoff_min, options_.backoff_max);
    // Up to a quarter more, so that routers do not knock in step.
    const auto jitter = std::chrono::milliseconds(random() % (backoff.count() / 4 + 1));
    const Time until = std::chrono::steady_clock::now() + backoff + jitter;
    while (!stopping_) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      sender_cv_.WaitFor(&mu_, left);
    }
    if (stopping_) return;
  }
}

absl::Status NodeClient::OpenStream(const std::shared_ptr<WriteStream>& stream) {
  StreamHello hello = options_.hello;
  {
    MutexLock lock(&mu_);
    if (stopping_) return absl::CancelledError("stopping");
    stream_ = stream;
    connecting_since_ = std::chrono::steady_clock::now();
    hello.incarnation = options_.incarnation_base + ++streams_;
  }
  SHOAL_RETURN_IF_ERROR(stream->Connect(hello, options_.connect_timeout));
  MutexLock lock(&mu_);
  if (stopping_) return absl::CancelledError("stopping");
  ++epoch_;
  stream_up_ = true;
  sequence_ = 0;
  last_error_.clear();
  last_progress_ = std::chrono::steady_clock::now();
  metrics_->connects->Add();
  return absl::OkStatus();
}

void NodeClient::NoteStreamEnd(const absl::Status& status, bool connected, bool progress) {
  std::shared_ptr<NodeBatch> given_up;
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    if (!connected) metrics_->connect_failures->Add();
    if (last_error_.empty()) last_error_ = status.ok() ? "the node ended it" : status.ToString();
    if (progress) complaints_ = 0;
    // One batch at a time from now on, so that it is known which one the node means.
    const bool complaint = connected && absl::IsInvalidArgument(status);
    if (complaint) careful_batches_ = options_.window_batches_max;
    if (complaint && ++complaints_ >= kComplaintsMax) {
      // The node will not read what comes next, so nothing behind it would ever get through.
      complaints_ = 0;
      if (mode_ == Mode::kSpooling) {
        skip_record_ = true;
      } else if (!queue_.empty()) {
        given_up = std::move(queue_.front());
        queue_.pop_front();
        metrics_->lost_points->Add(given_up->points());
      }
    }
  }
  if (uint64_t held_back; stream_log_.Pass(&held_back)) {
    LogWarning("forward", options_.hello.node, ": write stream ",
               connected ? "ended: " : "not opened: ",
               status.ok() ? "closed by the node" : status.ToString(), held_back > 0 ? " (" : "",
               held_back > 0 ? absl::StrCat(held_back, " more before)") : "");
  }
  if (given_up != nullptr) {
    LogError("forward", options_.hello.node, ": gave up a batch of ", given_up->points(),
             " points that the node does not accept: ", status.ToString());
    given_up->chunk->Lost(/*was_spooled=*/false);
  }
}

void NodeClient::SendAll(WriteStream* stream, uint64_t epoch) {
  StreamDictionary dictionary;
  std::optional<HintSpool::Reader> reader;
  std::string record;
  SpooledBatch spooled;
  while (true) {
    std::shared_ptr<NodeBatch> live;
    uint64_t sequence = 0;
    bool end_of_spool_is_final = false;
    {
      MutexLock lock(&mu_);
      while (true) {
        if (stopping_ || !stream_up_ || epoch_ != epoch) return;
        const size_t batches_max = careful_batches_ > 0 ? 1 : options_.window_batches_max;
        const bool has_room = window_.size() < batches_max &&
                              (window_.empty() || window_bytes_ < options_.window_bytes_max);
        if (dictionary.size() > options_.dictionary_names_max) {
          // A new stream starts with empty dictionaries.
          if (window_.empty()) return;
        } else if (mode_ == Mode::kSpooling) {
          if (has_room && !(spool_paused_ && spool_writing_)) break;
        } else if (has_room && !queue_.empty()) {
          break;
        }
        sender_cv_.Wait(&mu_);
      }
      if (mode_ == Mode::kLive) {
        live = std::move(queue_.front());
        queue_.pop_front();
        if (window_.empty()) last_progress_ = std::chrono::steady_clock::now();
        sequence = ++sequence_;
        window_.push_back({sequence, live, {}, live->points(), live->bytes()});
        window_bytes_ += live->bytes();
      } else {
        end_of_spool_is_final = spool_paused_;
        if (!reader.has_value()) reader = spool_->NewReader(consumed_);
      }
    }

    WireBatch batch;
    if (live != nullptr) {
      dictionary.Translate(live->names, live->refs);
      batch.timestamps_sec = live->timestamps_sec;
      batch.values = live->values;
    } else {
      const uint64_t damaged_before = reader->damaged();
      const absl::StatusOr<bool> found = reader->Next(&record);
      metrics_->spool_damaged->Add(reader->damaged() - damaged_before);
      if (!found.ok()) {
        metrics_->spool_errors->Add();
        LogError("spool", options_.hello.node, ": ", found.status().ToString());
        // The next stream tries again, after the back-off.
        return;
      }
      MutexLock lock(&mu_);
      if (stopping_ || !stream_up_ || epoch_ != epoch) return;
      if (!*found) {
        if (end_of_spool_is_final && spool_paused_) {
          mode_ = Mode::kLive;
          spool_paused_ = false;
          last_progress_ = std::chrono::steady_clock::now();
          keeper_cv_.Signal();
        } else {
          // Stop adding, then look once more.
          spool_paused_ = true;
        }
        continue;
      }
      const absl::Status decoded = DecodeSpoolRecord(record, &spooled);
      if (!decoded.ok() || std::exchange(skip_record_, false)) {
        metrics_->spool_damaged->Add();
        LogError("spool", options_.hello.node, ": skipped a record: ",
                 decoded.ok() ? "the node does not accept it" : decoded.ToString());
        // Consumed with the next one, or now when nothing is under way.
        if (window_.empty()) consumed_ = reader->position();
        continue;
      }
      if (window_.empty()) last_progress_ = std::chrono::steady_clock::now();
      sequence = ++sequence_;
      window_.push_back(
          {sequence, nullptr, reader->position(), spooled.refs.size(), record.size()});
      window_bytes_ += record.size();
      ++records_in_window_;
    }
    if (live == nullptr) {
      dictionary.Translate(spooled.names, spooled.refs);
      batch.timestamps_sec = spooled.timestamps_sec;
      batch.values = spooled.values;
    }
    batch.sequence = sequence;
    batch.defined_refs = dictionary.defined_refs();
    batch.defined_names = dictionary.defined_names();
    batch.refs = dictionary.refs();
    if (!stream->Send(batch)) return;
  }
}

void NodeClient::ReceiverMain(WriteStream* stream, uint64_t epoch) {
  SetThreadName(absl::StrCat("acks-", options_.hello.node));
  WireAck ack;
  while (stream->Receive(&ack)) {
    if (!OnAck(ack, epoch)) break;
  }
  MutexLock lock(&mu_);
  TearDown(epoch, "");
}

bool NodeClient::OnAck(const WireAck& ack, uint64_t epoch) {
  Sent sent;
  std::vector<std::shared_ptr<Chunk>> reached;
  {
    MutexLock lock(&mu_);
    if (!stream_up_ || epoch_ != epoch) return false;
    const char* complaint = nullptr;
    if (window_.empty() || window_.front().sequence != ack.sequence) {
      complaint = "acknowledged a batch out of order";
    } else {
      for (const RefusedPoint& point : ack.refused) {
        if (point.index >= window_.front().points) complaint = "refused a point that was not sent";
      }
    }
    if (complaint != nullptr) {
      LogError("forward", options_.hello.node, ": ", complaint);
      TearDown(epoch, complaint);
      return false;
    }
    sent = std::move(window_.front());
    window_.pop_front();
    window_bytes_ -= sent.bytes;
    if (careful_batches_ > 0) --careful_batches_;
    last_ack_ = last_progress_ = std::chrono::steady_clock::now();
    any_ack_ = true;
    if (sent.live == nullptr) {
      --records_in_window_;
      // Never back: DropOldest may have gone ahead.
      consumed_ = std::max(consumed_, sent.record_end);
      reached = TakeWaiting(consumed_);
      if (records_in_window_ == 0 && mode_ == Mode::kLive) keeper_cv_.Signal();
    }
    sender_cv_.Signal();
  }
  metrics_->acked_points->Add(sent.points - ack.refused.size());
  if (sent.live != nullptr) {
    metrics_->ack_seconds->Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - sent.live->created)
            .count());
    sent.live->chunk->NodeAcked(sent.live->indexes, ack.refused);
  } else {
    metrics_->replayed_points->Add(sent.points);
    for (const RefusedPoint& point : ack.refused) {
      metrics_->replay_refused[static_cast<size_t>(point.reason)]->Add();
    }
  }
  for (const std::shared_ptr<Chunk>& chunk : reached) chunk->SpooledReachedNode();
  return true;
}

void NodeClient::TearDown(uint64_t epoch, absl::string_view why) {
  if (!stream_up_ || epoch_ != epoch) return;
  stream_up_ = false;
  if (!why.empty()) last_error_ = std::string(why);
  stream_->Cancel();
  metrics_->resent_batches->Add(window_.size());
  // Records are read again from consumed_ on; what was live behind them waits until they are
  // through, as before.
  if (records_in_window_ > 0) mode_ = Mode::kSpooling;
  spool_paused_ = false;
  while (!window_.empty()) {
    if (window_.back().live != nullptr) queue_.push_front(std::move(window_.back().live));
    window_.pop_back();
  }
  window_bytes_ = 0;
  records_in_window_ = 0;
  sender_cv_.SignalAll();
  keeper_cv_.Signal();
}

// The spool.

void NodeClient::EnterSpooling(absl::string_view why) {
  SHOAL_CHECK(!stream_up_);
  if (mode_ == Mode::kSpooling) return;
  mode_ = Mode::kSpooling;
  spool_paused_ = false;
  keeper_cv_.Signal();
  if (HasOutstanding()) {
    LogWarning("forward", options_.hello.node, ": ", why, ": ", queue_.size(),
               " batches go to the spool");
  }
}

void NodeClient::KeeperMain() {
  SetThreadName(absl::StrCat("keep-", options_.hello.node));
  MutexLock lock(&mu_);
  while (!keeper_stopping_) {
    const Time now = std::chrono::steady_clock::now();
    CheckDeadlines(now);
    if (mode_ == Mode::kSpooling && !spool_paused_ && !queue_.empty() && now >= spool_retry_at_) {
      SpoolGroup();
      continue;
    }
    const bool replayed = mode_ == Mode::kLive && records_in_window_ == 0 && spool_used_;
    if (replayed || (consumed_ != persisted_ && now >= persist_due_)) {
      PersistProgress();
      continue;
    }
    keeper_cv_.WaitFor(&mu_, kKeeperTick);
  }
  // What is left goes to disk, if it can; the sender is gone.
  mode_ = Mode::kSpooling;
  spool_paused_ = false;
  for (size_t before = queue_.size() + 1; !queue_.empty() && queue_.size() < before;) {
    before = queue_.size();
    SpoolGroup();
  }
  if (consumed_ != persisted_) PersistProgress();
}

void NodeClient::CheckDeadlines(Time now) {
  if (stream_ != nullptr && !stream_up_ &&
      now - connecting_since_ > options_.connect_timeout + options_.hello_timeout) {
    stream_->Cancel();
  }
  if (mode_ == Mode::kLive) {
    if (!HasOutstanding()) return;
    const Time oldest = window_.empty()                   ? queue_.front()->created
                        : window_.front().live != nullptr ? window_.front().live->created
                                                          : now;
    const char* why = nullptr;
    if (now - last_progress_ > options_.ack_timeout) {
      why = "no acknowledgement in time";
    } else if (now - oldest > options_.slow_timeout) {
      why = "too slow";
    } else if (draining_ && now > drain_deadline_) {
      why = "not done when stopping";
    }
    if (why == nullptr) return;
    TearDown(epoch_, why);
    EnterSpooling(why);
  } else if (stream_up_ && !window_.empty() && now - last_progress_ > options_.stall_timeout) {
    TearDown(epoch_, "no acknowledgement of the spool in time");
  }
}

void NodeClient::SpoolGroup() {
  std::vector<std::shared_ptr<NodeBatch>> group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < kSpoolGroupBatches && bytes < kSpoolGroupBytes) {
    bytes += queue_.front()->bytes();
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  spool_writing_ = true;
  spool_used_ = true;
  std::vector<LogPosition> positions;
  mu_.Unlock();
  const absl::Status status = WriteGroup(group, &positions);
  std::vector<Waiting> waiting;
  // WriteGroup took what fits: positions.size() batches are durable.
  for (size_t i = 0; i < positions.size(); ++i) {
    metrics_->spooled_points->Add(group[i]->points());
    group[i]->chunk->Spooled();
    if (!group[i]->chunk->complete()) waiting.push_back({positions[i], group[i]->chunk});
  }
  mu_.Lock();
  for (size_t i = group.size(); i-- > positions.size();) queue_.push_front(std::move(group[i]));
  waiting_.insert(waiting_.end(), waiting.begin(), waiting.end());
  // The sender may have been quicker.
  const std::vector<std::shared_ptr<Chunk>> reached = TakeWaiting(consumed_);
  if (!status.ok()) {
    if (absl::IsResourceExhausted(status) && options_.drop_oldest) {
      DropOldest();
    } else {
      if (!absl::IsResourceExhausted(status)) metrics_->spool_errors->Add();
      spool_retry_at_ = std::chrono::steady_clock::now() + kSpoolRetry;
      if (uint64_t held_back; spool_log_.Pass(&held_back)) {
        LogError("spool", options_.hello.node, ": ", status.ToString());
      }
    }
  }
  spool_writing_ = false;
  sender_cv_.SignalAll();
  if (reached.empty()) return;
  mu_.Unlock();
  for (const std::shared_ptr<Chunk>& chunk : reached) chunk->SpooledReachedNode();
  mu_.Lock();
}

absl::Status NodeClient::WriteGroup(const std::vector<std::shared_ptr<NodeBatch>>& group,
                                    std::vector<LogPosition>* positions) {
  absl::Status result;
  std::string record;
  for (const std::shared_ptr<NodeBatch>& batch : group) {
    record.clear();
    EncodeSpoolRecord(*batch, &record);
    const absl::StatusOr<LogPosition> position = spool_->Append(record);
    if (!position.ok()) {
      result = position.status();
      break;
    }
    positions->push_back(*position);
  }
  // A full spool has kept what went in before; after any other error nothing since the last sync
  // can be relied on.
  if (result.ok() || absl::IsResourceExhausted(result)) {
    const absl::Status synced = positions->empty() ? absl::OkStatus() : spool_->Sync();
    if (synced.ok()) return result;
    result = synced;
  }
  positions->clear();
  return result;
}

void NodeClient::DropOldest() {
  const LogPosition consumed = consumed_;
  mu_.Unlock();
  const absl::StatusOr<HintSpool::Dropped> dropped = spool_->DropOldest(consumed);
  mu_.Lock();
  if (!dropped.ok()) {
    metrics_->spool_errors->Add();
    spool_retry_at_ = std::chrono::steady_clock::now() + kSpoolRetry;
    if (uint64_t held_back; spool_log_.Pass(&held_back)) {
      LogError("spool", options_.hello.node, ": ", dropped.status().ToString());
    }
    return;
  }
  consumed_ = std::max(consumed_, dropped->begin);
  persisted_ = std::max(persisted_, dropped->begin);
  metrics_->spool_dropped_points->Add(dropped->points);
  if (uint64_t held_back; spool_log_.Pass(&held_back)) {
    LogWarning("spool", options_.hello.node, ": full: gave up ", dropped->points,
               " points of its oldest segment");
  }
  const std::vector<std::shared_ptr<Chunk>> lost = TakeWaiting(consumed_);
  mu_.Unlock();
  for (const std::shared_ptr<Chunk>& chunk : lost) chunk->Lost(/*was_spooled=*/true);
  mu_.Lock();
}

void NodeClient::PersistProgress() {
  // Live again and every record acknowledged: nothing of the spool is needed. Only this thread adds
  // to it.
  const bool all = mode_ == Mode::kLive && records_in_window_ == 0;
  const LogPosition consumed = consumed_;
  persist_due_ = std::chrono::steady_clock::now() + kPersistInterval;
  mu_.Unlock();
  const absl::Status status = all ? spool_->SetAllConsumed() : spool_->SetConsumed(consumed);
  mu_.Lock();
  if (!status.ok()) {
    metrics_->spool_errors->Add();
    if (uint64_t held_back; spool_log_.Pass(&held_back)) {
      LogError("spool", options_.hello.node, ": ", status.ToString());
    }
  }
  persisted_ = consumed;
  if (all) {
    // On an error too: the records only come back after a restart, and are sent again then.
    consumed_ = persisted_ = spool_->end();
    spool_used_ = false;
    LogInfo("forward", options_.hello.node, ": has everything that was spooled");
  }
}

std::vector<std::shared_ptr<Chunk>> NodeClient::TakeWaiting(LogPosition position) {
  std::vector<std::shared_ptr<Chunk>> taken;
  while (!waiting_.empty() && waiting_.front().position < position) {
    taken.push_back(std::move(waiting_.front().chunk));
    waiting_.pop_front();
  }
  return taken;
}

}  // namespace shoal
