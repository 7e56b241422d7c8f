// Any bytes as a log segment: never a crash, never a record that was not written whole.
#include <cstdint>
#include <string>

#include "storage/log/log_reader.h"

namespace {

// A file that is the fuzzer's input.
class BytesFile : public shoal::File {
 public:
  explicit BytesFile(absl::string_view bytes) : bytes_(bytes) {}
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    if (offset >= bytes_.size()) return size_t{0};
    return bytes_.copy(to, size, offset);
  }
  absl::Status WriteAt(uint64_t, absl::string_view) override {
    return absl::UnimplementedError("");
  }
  absl::Status Sync() override { return absl::UnimplementedError(""); }
  absl::Status Truncate(uint64_t) override { return absl::UnimplementedError(""); }
  absl::Status PunchHole(uint64_t, uint64_t) override { return absl::UnimplementedError(""); }
  absl::StatusOr<uint64_t> Size() const override { return bytes_.size(); }
  absl::StatusOr<uint64_t> AllocatedBytes() const override { return bytes_.size(); }
  const std::string& path() const override { return path_; }

 private:
  const absl::string_view bytes_;
  const std::string path_ = "fuzz";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const BytesFile file({reinterpret_cast<const char*>(data), size});
  shoal::CheckLogSegmentHeader(file, 1).IgnoreError();
  shoal::LogReader reader(&file, 1, 0, 1 << 20);
  std::string record;
  uint64_t position = reader.position();
  for (;;) {
    const auto found = reader.Next(size, &record);
    if (!found.ok()) __builtin_trap();
    if (!*found) break;
    // Progress, and within the bytes that are there.
    if (reader.position() <= position || reader.position() > size) __builtin_trap();
    position = reader.position();
  }
  return 0;
}
