// The copy of the index in LevelDB: name -> id and schema. docs/format/index.md has the keys.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"
#include "storage/log/segmented_log.h"
#include "storage/series_schema.h"
#include "storage/wal_record.h"

namespace leveldb {
class DB;
class Env;
class WriteBatch;
}  // namespace leveldb

namespace shoal {

// 2: the series log lies beside the ring files.
inline constexpr uint32_t kIndexVersion = 2;

class LevelDbIndex {
 public:
  // What LevelDB says of itself.
  struct State {
    LogPosition applied;   // it holds everything of the series log before this
    SeriesId next_id = 0;  // ids below are used up
    uint64_t size = 0;     // it has at least so many series
  };

  LevelDbIndex(FileSystem* fs, std::string path);
  ~LevelDbIndex();

  absl::Status Open();
  bool is_open() const { return db_ != nullptr; }
  void Close();
  // Closes it and deletes its files.
  absl::Status Destroy();

  // NotFound when it is new. FailedPrecondition: another version of the format.
  absl::StatusOr<State> ReadState() const;
  // Everything in it, schemas first, series by name. Ends with the first error of a visitor.
  absl::Status Load(
      absl::FunctionRef<absl::Status(const SchemaDefinition& schema)> on_schema,
      absl::FunctionRef<absl::Status(absl::string_view name, SeriesId series, SchemaId schema)>
          on_series) const;

  // Changes gather and are written in batches; Commit writes the rest with the state and syncs.
  // When a crash comes before it, some of the changes may be there already. After an error LevelDB
  // is not to be used again.
  absl::Status Put(const SchemaDefinition& schema);
  absl::Status Put(absl::string_view name, SeriesId series, SchemaId schema);
  absl::Status Remove(absl::string_view name);
  absl::Status Commit(const State& state);

 private:
  absl::Status WriteBatchIfLarge();

  FileSystem* const fs_;
  const std::string path_;
  std::unique_ptr<leveldb::Env> env_;
  std::unique_ptr<leveldb::DB> db_;
  std::unique_ptr<leveldb::WriteBatch> batch_;
};

}  // namespace shoal
