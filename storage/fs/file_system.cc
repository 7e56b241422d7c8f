#include "storage/fs/file_system.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {

absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path, uint64_t size_max) {
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs->Open(path, OpenMode::kReadOnly));
  SHOAL_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > size_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": ", size, " bytes, at most ", size_max, " expected"));
  }
  std::string bytes(size, '\0');
  SHOAL_ASSIGN_OR_RETURN(const size_t read, file->ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(read);
  return bytes;
}

absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path, absl::string_view bytes) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  {
    SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                           fs->Open(temporary, OpenMode::kCreate));
    SHOAL_RETURN_IF_ERROR(file->Truncate(0));  // a left-over of a crash may be longer
    SHOAL_RETURN_IF_ERROR(file->WriteAt(0, bytes));
    SHOAL_RETURN_IF_ERROR(file->Sync());
  }
  SHOAL_RETURN_IF_ERROR(fs->Rename(temporary, path));
  const size_t slash = path.rfind('/');
  return fs->SyncDir(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

std::string JoinPath(absl::string_view dir, absl::string_view name) {
  if (dir.empty()) return std::string(name);
  return absl::StrCat(dir, dir.back() == '/' ? "" : "/", name);
}

}  // namespace shoal
