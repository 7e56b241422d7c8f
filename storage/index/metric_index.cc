#include "storage/index/metric_index.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace shoal {

MetricIndex::MetricIndex(MetricIndexOptions options)
    : options_(std::move(options)),
      leveldb_(options_.fs, JoinPath(options_.dir, "leveldb")),
      schema_table_(std::make_unique<std::atomic<const SeriesSchema*>[]>(kSchemasMax)),
      chunks_(std::make_unique<std::atomic<Entry*>[]>(kChunks)) {}

MetricIndex::~MetricIndex() {
  for (size_t i = 0; i < kChunks; ++i) delete[] chunks_[i].load(std::memory_order_relaxed);
}

void MetricIndex::ClearMemory() {
  std::unique_lock lock(mu_);
  // The tree has no clear: take its leaves off one by one. Only a rebuild does this.
  for (SeriesId id = 0; id < next_id_; ++id) {
    if (Entry* entry = EntryOf(id); entry != nullptr && entry->state.load() != 0) {
      tree_.Remove(entry->node);
      entry->state.store(0);
    }
  }
  for (size_t i = 0; i < kSchemasMax; ++i) schema_table_[i].store(nullptr);
  schemas_.clear();
  schema_count_.store(0);
  size_.store(0);
  next_id_ = 0;
  name_bytes_ = 0;
  changes_ = Changes();
}

MetricIndex::Entry* MetricIndex::EntryOf(SeriesId series) const {
  Entry* const chunk = chunks_[series / kChunkEntries].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[series % kChunkEntries];
}

MetricIndex::Entry* MetricIndex::MakeEntry(SeriesId series) {
  std::atomic<Entry*>& chunk = chunks_[series / kChunkEntries];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new Entry[kChunkEntries], std::memory_order_release);
  }
  return EntryOf(series);
}

SeriesId MetricIndex::ids_end() const {
  std::shared_lock lock(mu_);
  return next_id_;
}

bool MetricIndex::full() const {
  std::shared_lock lock(mu_);
  return tree_.full() || next_id_ == kNoSeries;
}

SeriesId MetricIndex::Find(absl::string_view name) const {
  std::shared_lock lock(mu_);
  return tree_.Find(name);
}

void MetricIndex::AddLocked(absl::string_view name, SeriesId series, SchemaId schema) {
  Entry* const entry = MakeEntry(series);
  entry->node = tree_.Insert(name, series);
  entry->state.store(kAlive | schema, std::memory_order_release);
  next_id_ = std::max(next_id_, series + 1);
  name_bytes_ += name.size();
  size_.fetch_add(1, std::memory_order_relaxed);
}

void MetricIndex::RemoveLocked(SeriesId series, std::string* name) {
  Entry* const entry = EntryOf(series);
  name->clear();
  if (entry == nullptr || entry->state.load(std::memory_order_relaxed) == 0) return;
  *name = tree_.NameOf(entry->node);
  name_bytes_ -= name->size();
  tree_.Remove(entry->node);
  entry->state.store(0, std::memory_order_release);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

SeriesId MetricIndex::Create(absl::string_view name, SchemaId schema) {
  std::unique_lock lock(mu_);
  SHOAL_CHECK(next_id_ < kNoSeries);
  const SeriesId id = next_id_;
  AddLocked(name, id, schema);
  changes_.created.push_back(id);
  return id;
}

bool MetricIndex::Restore(const SeriesDefinition& definition) {
  if (Schema(definition.schema) == nullptr) return false;  // its record was damaged, and counted
  std::unique_lock lock(mu_);
  next_id_ = std::max(next_id_, definition.id + 1);
  const Entry* const entry = EntryOf(definition.id);
  if (entry != nullptr && entry->state.load(std::memory_order_relaxed) != 0) return false;
  if (tree_.Find(definition.name) != kNoSeries) return false;
  AddLocked(definition.name, definition.id, definition.schema);
  changes_.created.push_back(definition.id);
  return true;
}

void MetricIndex::Remove(SeriesId series) {
  std::string name;
  {
    std::unique_lock lock(mu_);
    RemoveLocked(series, &name);
    if (name.empty()) return;
    changes_.removed.push_back({series, name});
  }
  if (on_removed_) on_removed_(name);
}

bool MetricIndex::ChangeSchemaLocked(SeriesId series, SchemaId schema) {
  Entry* const entry = EntryOf(series);
  if (entry == nullptr || entry->state.load(std::memory_order_relaxed) == 0) return false;
  if (Schema(schema) == nullptr) return false;  // its record was damaged, and counted
  entry->state.store(kAlive | schema, std::memory_order_release);
  return true;
}

bool MetricIndex::ChangeSchema(SeriesId series, SchemaId schema) {
  std::unique_lock lock(mu_);
  if (!ChangeSchemaLocked(series, schema)) return false;
  changes_.changed.push_back(series);
  return true;
}

void MetricIndex::ReserveId(SeriesId series) {
  std::unique_lock lock(mu_);
  next_id_ = std::max(next_id_, series + 1);
}

const SeriesSchema* MetricIndex::SchemaOf(SeriesId series, SchemaId* schema) const {
  const Entry* const entry = EntryOf(series);
  if (entry == nullptr) return nullptr;
  const uint32_t state = entry->state.load(std::memory_order_acquire);
  if (state == 0) return nullptr;
  const SchemaId id = static_cast<SchemaId>(state & 0xffff);
  if (schema != nullptr) *schema = id;
  return Schema(id);
}

void MetricIndex::Prefetch(SeriesId series) const {
  if (const Entry* const entry = EntryOf(series)) __builtin_prefetch(entry);
}

std::string MetricIndex::NameOf(SeriesId series) const {
  std::shared_lock lock(mu_);
  const Entry* const entry = EntryOf(series);
  if (entry == nullptr || entry->state.load(std::memory_order_relaxed) == 0) return "";
  return tree_.NameOf(entry->node);
}

const SeriesSchema* MetricIndex::Schema(SchemaId id) const {
  return id < kSchemasMax ? schema_table_[id].load(std::memory_order_acquire) : nullptr;
}

void MetricIndex::AddSchemaLocked(const SchemaDefinition& definition) {
  schemas_.push_back(definition.schema);
  schema_table_[definition.id].store(&schemas_.back(), std::memory_order_release);
  schema_count_.store(schemas_.size(), std::memory_order_release);
}

absl::StatusOr<SchemaId> MetricIndex::InternSchema(const SeriesSchema& schema, bool* is_new) {
  std::unique_lock lock(mu_);
  *is_new = false;
  const auto it = std::find(schemas_.begin(), schemas_.end(), schema);
  if (it != schemas_.end()) return static_cast<SchemaId>(it - schemas_.begin());
  if (schemas_.size() >= kSchemasMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kSchemasMax, " distinct schemas"));
  }
  const SchemaDefinition definition{static_cast<SchemaId>(schemas_.size()), schema};
  AddSchemaLocked(definition);
  changes_.schemas.push_back(definition);
  *is_new = true;
  return definition.id;
}

absl::Status MetricIndex::RestoreSchema(const SchemaDefinition& definition) {
  std::unique_lock lock(mu_);
  if (definition.id < schemas_.size()) {
    if (schemas_[definition.id] == definition.schema) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("schema ", definition.id, " is defined twice, differently"));
  }
  if (definition.id > schemas_.size() || definition.id >= kSchemasMax) {
    return absl::DataLossError(
        absl::StrCat("schema ", definition.id, " follows ", schemas_.size()));
  }
  AddSchemaLocked(definition);
  changes_.schemas.push_back(definition);
  return absl::OkStatus();
}

void MetricIndex::Glob(const shoal::Glob& glob,
                       absl::FunctionRef<bool(const NameTree::Match& match)> visit) const {
  std::shared_lock lock(mu_);
  tree_.Glob(glob, visit);
}

void MetricIndex::VisitNames(
    absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const {
  std::string names;  // one after the other: about the names' own bytes, not a string object each
  std::vector<std::pair<uint32_t, SeriesId>> series;
  {
    std::shared_lock lock(mu_);
    series.reserve(size());
    tree_.VisitLeaves([&](absl::string_view name, SeriesId id) {
      names.append(name.data(), name.size());
      series.emplace_back(static_cast<uint32_t>(name.size()), id);
    });
  }
  absl::string_view rest = names;
  for (const auto& [size, id] : series) {
    visit(rest.substr(0, size), id);
    rest.remove_prefix(size);
  }
}

}  // namespace shoal
