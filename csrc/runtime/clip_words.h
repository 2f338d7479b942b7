// What CLIP's tokenizer makes of a text before its vocabulary is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vidrt {

/// Valid UTF-8 in normal form C, each run of white space one space, in lower case character by character (so that a
/// sigma at the end of a word is the common one).
std::string clip_normalised(std::string_view text);

/// The pieces of a normalised text that become tokens by themselves: words of letters, single numbers, the endings of
/// English ('s 't 're 've 'm 'll 'd), runs of anything else but white space, which is dropped.
std::vector<std::string_view> clip_words(std::string_view text);

}  // namespace vidrt
