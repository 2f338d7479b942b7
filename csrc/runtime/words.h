// Words of a prompt, for wordlevel tokenizers and for warnings about what a prompt says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vidrt {

/// Maximal runs of A-Z, a-z, 0-9, ' and bytes from 0x80 on, as they are written; views into `text`.
std::vector<std::string_view> split_words(std::string_view text);

/// With A-Z in lower case and all else as it is.
std::string lower_ascii(std::string_view text);

/// "'red', 'blue'"; of more than `most` words the first ones and how many others there are.
std::string quoted_list(const std::vector<std::string>& words, std::size_t most = 20);

}  // namespace vidrt
