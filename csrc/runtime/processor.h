#pragma once

#include <string>

namespace vidrt {

/// Physical cores this process may run on (its affinity counts, hyperthreads do not); at least 1.
int physical_cores();

/// What the system says of the processor that decides which instructions libraries choose, and so bits: its model and
/// features. "" where the system says nothing.
std::string processor_description();

}  // namespace vidrt
