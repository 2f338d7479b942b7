// Character references of HTML in texts that were copied out of a page.
#pragma once

#include <string>
#include <string_view>

namespace vidrt {

/// Valid UTF-8 with "&lt;", "&#60;" and "&#x3c;" as the characters that they stand for, as Python's html.unescape()
/// gives it: names may lack their semicolon where HTML allows that, the longest name counts, and numbers that are no
/// character become U+FFFD or nothing by HTML's table. One pass: "&amp;lt;" becomes "&lt;".
std::string html_unescape(std::string_view text);

}  // namespace vidrt
