#include "storage/ring/rolled_until.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Magic, version u32, entries u32, entries (schema u16, archive u8, zero u8, until i64), checksum
// u32.
constexpr size_t kFixedBytes = 20;
constexpr size_t kEntryBytes = 12;
constexpr uint64_t kFileBytesMax = kFixedBytes + kEntryBytes * 65'536 * 16;

}  // namespace

absl::StatusOr<RolledUntil> RolledUntil::Decode(absl::string_view bytes) {
  if (bytes.size() < kFixedBytes ||
      std::memcmp(bytes.data(), kRolledMagic, sizeof(kRolledMagic)) != 0) {
    return absl::DataLossError("not a file of rolled-up times");
  }
  const absl::string_view covered = bytes.substr(0, bytes.size() - 4);
  if (LoadLE<uint32_t>(covered.data() + covered.size()) != Checksum32(covered)) {
    return absl::DataLossError("checksum does not match");
  }
  const uint32_t version = LoadLE<uint32_t>(bytes.data() + 8);
  if (version > kRolledVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format version ", version, " is newer than this program's ", kRolledVersion));
  }
  const uint32_t entries = LoadLE<uint32_t>(bytes.data() + 12);
  if (covered.size() != 16 + uint64_t{entries} * kEntryBytes)
    return absl::DataLossError("size does not match");
  RolledUntil rolled;
  for (uint32_t i = 0; i < entries; ++i) {
    const char* const entry = bytes.data() + 16 + size_t{i} * kEntryBytes;
    const ArchiveKey archive{LoadLE<uint16_t>(entry), LoadLE<uint8_t>(entry + 2)};
    rolled.Set(archive, LoadLE<int64_t>(entry + 4));
  }
  return rolled;
}

std::string RolledUntil::Encode() const {
  std::string bytes(kRolledMagic, sizeof(kRolledMagic));
  AppendLE<uint32_t>(&bytes, kRolledVersion);
  AppendLE<uint32_t>(&bytes, static_cast<uint32_t>(until_sec_.size()));
  for (const auto& [key, until_sec] : until_sec_) {
    AppendLE<uint16_t>(&bytes, key.first);
    AppendLE<uint8_t>(&bytes, key.second);
    AppendLE<uint8_t>(&bytes, 0);
    AppendLE<int64_t>(&bytes, until_sec);
  }
  AppendLE<uint32_t>(&bytes, Checksum32(bytes));
  return bytes;
}

absl::StatusOr<RolledUntil> RolledUntil::Load(FileSystem* fs, const std::string& dir) {
  const std::string path = JoinPath(dir, kRolledName);
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (!exists) return RolledUntil();
  SHOAL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, path, kFileBytesMax));
  absl::StatusOr<RolledUntil> rolled = Decode(bytes);
  if (absl::IsDataLoss(rolled.status())) {
    LogError("ring", path, ": ", rolled.status().message(), "; rolling up again");
    return RolledUntil();
  }
  if (!rolled.ok()) return Annotate(rolled.status(), path);
  return rolled;
}

absl::Status RolledUntil::Save(FileSystem* fs, const std::string& dir) const {
  return WriteFileAtomically(fs, JoinPath(dir, kRolledName), Encode());
}

int64_t RolledUntil::Get(ArchiveKey archive) const {
  const auto it = until_sec_.find(KeyOf(archive));
  return it == until_sec_.end() ? 0 : it->second;
}

}  // namespace shoal
