// Our own configuration files: TOML, where every key must be known.
//
// A reader registers what it knows with Get*; Finish() then reports every key that nobody asked
// for. Errors name the file, the line and the key: "router.toml:7: listen.lnie: unknown setting".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Not thread safe. The first error sticks and is returned by Finish(); after it, Gets keep their
// defaults.
class Config {
 public:
  // `overrides` are the "section.key=value" texts of --set, in order; they count as if they stood
  // in the file, and errors in them name "--set section.key". A value that is not valid TOML is
  // taken as a string.
  static absl::StatusOr<Config> Load(const std::string& path,
                                     const std::vector<std::string>& overrides);
  // The same from text; `name` stands for the path in errors.
  static absl::StatusOr<Config> Parse(absl::string_view text, const std::string& name,
                                      const std::vector<std::string>& overrides);
  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  // Each leaves *value, its default, when the key is absent. `key` is dotted: "listen.line".
  void GetString(absl::string_view key, std::string* value);
  void GetBool(absl::string_view key, bool* value);
  // Integers must lie within [min, max].
  void GetInt(absl::string_view key, int64_t* value, int64_t min, int64_t max);
  void GetDouble(absl::string_view key, double* value, double min, double max);
  // An integer or a string with a unit of 1024: "64MiB", "1GiB", "512KiB", "100B".
  void GetBytes(absl::string_view key, int64_t* value, int64_t min, int64_t max);
  // A string with a unit: "250ms", "10s", "5m", "6h", "1d". The value is in milliseconds.
  void GetDurationMs(absl::string_view key, int64_t* value, int64_t min, int64_t max);
  void GetStringList(absl::string_view key, std::vector<std::string>* value);
  // One of `allowed`.
  void GetChoice(absl::string_view key, std::string* value,
                 const std::vector<std::string>& allowed);
  // Whether the key is present. Does not count as asking for it.
  bool Has(absl::string_view key) const;
  // Fails unless the key is present.
  void Require(absl::string_view key);
  // An error of the caller's own about `key`, with its file and line.
  void Fail(absl::string_view key, absl::string_view message);

  // Array of tables, as in [[node]]: how many there are; then the key of the i-th's field is
  // "node.0.name".
  size_t TableCount(absl::string_view key);

  // Paths in a file are relative to the file's folder; absolute paths stay.
  std::string ResolvePath(const std::string& path) const;

  // The first error, or the first key that nobody asked for.
  absl::Status Finish();

 private:
  struct Impl;
  explicit Config(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "HOST:PORT" or "[v6]:PORT".
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

}  // namespace shoal
