#include "storage/identity.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr absl::string_view kFile = "IDENTITY";
constexpr absl::string_view kMagic = "shoal-node";
constexpr uint64_t kBytesMax = 64 << 10;

std::string IdentityText(const std::string& cluster, const std::string& node) {
  return absl::StrCat(kMagic, "\nformat ", kDataFormatVersion, "\ncluster ", cluster, "\nnode ",
                      node, "\n");
}

// What a first start that was cut short, or a fresh file system, leaves behind.
bool MayBeThere(absl::string_view name) {
  return name == "LOCK" || name == "IDENTITY.tmp" || name == "lost+found";
}

}  // namespace

absl::Status CheckIdentity(FileSystem* fs, const std::string& dir, const std::string& cluster,
                           const std::string& node) {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(dir));
  if (!exists) return absl::OkStatus();
  const std::string path = JoinPath(dir, kFile);
  SHOAL_ASSIGN_OR_RETURN(const bool known, fs->Exists(path));
  if (!known) {
    SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs->List(dir));
    for (const std::string& name : names) {
      if (!MayBeThere(name)) {
        return absl::FailedPreconditionError(
            absl::StrCat(dir, ": not empty (", name, ") and no data folder of a node"));
      }
    }
    return absl::OkStatus();
  }
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, path, kBytesMax));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  int version = 0;
  if (lines.size() < 4 || lines[0] != kMagic || !absl::StartsWith(lines[1], "format ") ||
      !absl::SimpleAtoi(absl::string_view(lines[1]).substr(7), &version)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not an identity of a Shoal node"));
  }
  if (version != kDataFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": data format ", version, ", this program knows ", kDataFormatVersion));
  }
  if (text != IdentityText(cluster, node)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": the folder belongs to ", lines[3],
                                                      " of ", lines[2], ", not to node ", node,
                                                      " of cluster ", cluster));
  }
  return absl::OkStatus();
}

absl::Status EnsureIdentity(FileSystem* fs, const std::string& dir, const std::string& cluster,
                            const std::string& node) {
  const std::string path = JoinPath(dir, kFile);
  SHOAL_ASSIGN_OR_RETURN(const bool known, fs->Exists(path));
  if (known) return absl::OkStatus();
  return WriteFileAtomically(fs, path, IdentityText(cluster, node));
}

}  // namespace shoal
