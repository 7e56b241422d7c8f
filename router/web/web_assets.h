// The files of the page, generated at build time from router/web/src by build.mjs.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace shoal {

struct WebAsset {
  absl::string_view
      path;  // "/", "/assets/app-0123456789ab.js": names of assets carry a hash of their content
  absl::string_view content_type;
  absl::string_view hash;
  absl::string_view content;
};

extern const WebAsset kWebAssets[];
extern const size_t kWebAssetCount;

}  // namespace shoal
