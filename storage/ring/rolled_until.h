// How far each coarse archive has been rolled up: one small file, replaced as a whole.
// docs/format/ring.md has the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"
#include "storage/series_schema.h"

namespace shoal {

inline constexpr char kRolledMagic[8] = {'S', 'H', 'O', 'A', 'L', 'R', 'L', 'D'};
inline constexpr uint32_t kRolledVersion = 1;
inline constexpr char kRolledName[] = "rolled-until";

// Externally synchronised.
class RolledUntil {
 public:
  // A damaged file counts as none (it is reported, and the roll-up begins again with what the finer
  // archive has); FailedPrecondition: a newer version.
  static absl::StatusOr<RolledUntil> Load(FileSystem* fs, const std::string& dir);
  static absl::StatusOr<RolledUntil> Decode(absl::string_view bytes);
  std::string Encode() const;
  absl::Status Save(FileSystem* fs, const std::string& dir) const;

  int64_t Get(ArchiveKey archive) const;
  void Set(ArchiveKey archive, int64_t until_sec) { until_sec_[KeyOf(archive)] = until_sec; }
  // By schema and archive.
  const std::map<std::pair<SchemaId, uint8_t>, int64_t>& entries() const { return until_sec_; }

 private:
  using Key = std::pair<SchemaId, uint8_t>;
  static Key KeyOf(ArchiveKey archive) { return {archive.schema, archive.archive}; }

  std::map<Key, int64_t> until_sec_;
};

}  // namespace shoal
