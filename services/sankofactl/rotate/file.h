#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sankofa::ctl {

inline constexpr mode_t kPrivateMode = 0600;
inline constexpr mode_t kPublicMode = 0644;

// `text` as the whole of `file`, or the file as it was: written beside it, brought to the disk, and renamed. With the owner
// that the file had.
[[nodiscard]] absl::Status ReplaceFile(const std::string& file, std::string_view text, mode_t mode);

// The two halves of it: <file>.part, and the renaming, where two files are to change at one moment.
[[nodiscard]] absl::Status WritePart(const std::string& file, std::string_view text, mode_t mode);
[[nodiscard]] absl::Status PutPart(const std::string& file);

}  // namespace sankofa::ctl
