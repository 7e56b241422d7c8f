// Early return on error for absl::Status and absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

// Returns from the calling function when `expr` (an absl::Status) is not OK.
#define SHOAL_RETURN_IF_ERROR(expr)                         \
  do {                                                      \
    if (auto shoal_status_ = (expr); !shoal_status_.ok()) { \
      return shoal_status_;                                 \
    }                                                       \
  } while (false)

#define SHOAL_STATUS_CONCAT_INNER_(a, b) a##b
#define SHOAL_STATUS_CONCAT_(a, b) SHOAL_STATUS_CONCAT_INNER_(a, b)
#define SHOAL_ASSIGN_OR_RETURN_IMPL_(var, lhs, expr) \
  auto var = (expr);                                 \
  if (!var.ok()) return std::move(var).status();     \
  lhs = std::move(var).value()

// SHOAL_ASSIGN_OR_RETURN(auto x, F()): x is the value of F()'s StatusOr, or the caller returns its
// error.
#define SHOAL_ASSIGN_OR_RETURN(lhs, expr) \
  SHOAL_ASSIGN_OR_RETURN_IMPL_(SHOAL_STATUS_CONCAT_(shoal_statusor_, __LINE__), lhs, expr)

namespace shoal {

// The same error with `context` in front: "context: message".
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace shoal
