// A folder for the files of a benchmark, gone with it: in TMPDIR or /tmp.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace shoal {

class TempDir {
 public:
  TempDir() {
    const char* const root = std::getenv("TMPDIR");
    std::string path = std::string(root != nullptr ? root : "/tmp") + "/shoal-bench-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }  // empty: it could not be made

 private:
  std::string path_;
};

}  // namespace shoal
