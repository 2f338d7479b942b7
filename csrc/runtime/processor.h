#pragma once

namespace vidrt {

/// Physical cores this process may run on (its affinity counts, hyperthreads do not); at least 1.
int physical_cores();

}  // namespace vidrt
