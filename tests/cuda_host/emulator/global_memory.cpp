#include "cuda_host/emulator/global_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <new>
#include <tuple>

namespace vidrt::cuda_host {

GlobalMemory::~GlobalMemory() { forget_all(); }

void GlobalMemory::forget_all() {
  for (const Buffer& buffer : buffers_) munmap(buffer.touched, buffer.touched_bytes);
  buffers_.clear();
}

void GlobalMemory::forget(const void* data) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const auto found = std::find_if(buffers_.begin(), buffers_.end(),
                                  [&](const Buffer& buffer) { return buffer.begin == begin; });
  if (found == buffers_.end()) return;
  munmap(found->touched, found->touched_bytes);
  buffers_.erase(found);
}

void GlobalMemory::declare(const std::string& name, const void* data, std::size_t bytes, Rights rights) {
  if (data == nullptr || bytes == 0) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::size_t size = (bytes / kGrain + 1) * sizeof(Touched);
  void* touched = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (touched == MAP_FAILED) throw std::bad_alloc();
  buffers_.push_back({name, begin, begin + bytes, rights, static_cast<Touched*>(touched), size});
}

void GlobalMemory::begin_launch(std::uint32_t blocks) {
  first_block_ = next_block_;
  next_block_ += blocks;
}

const GlobalMemory::Buffer& GlobalMemory::find(std::uintptr_t address, std::size_t bytes, const Site& site) {
  const auto holds = [&](const Buffer& buffer) { return address >= buffer.begin && address + bytes <= buffer.end; };
  if (last_ < buffers_.size() && holds(buffers_[last_])) return buffers_[last_];
  for (last_ = 0; last_ < buffers_.size(); ++last_) {
    if (holds(buffers_[last_])) return buffers_[last_];
  }
  const auto distance = [&](const Buffer& buffer) {
    return address < buffer.begin ? buffer.begin - address : address + bytes - buffer.end;
  };
  const auto nearest = std::min_element(buffers_.begin(), buffers_.end(),
                                        [&](const Buffer& a, const Buffer& b) { return distance(a) < distance(b); });
  const std::string where = nearest == buffers_.end()
                                ? "nothing is declared"
                                : "byte " + std::to_string(static_cast<std::int64_t>(address - nearest->begin)) +
                                      " of " + nearest->name + ", which has " +
                                      std::to_string(nearest->end - nearest->begin);
  throw Fault(to_string(site) + ": " + std::to_string(bytes) + " bytes outside of global memory, " + where);
}

void GlobalMemory::touch(const void* pointer, std::size_t bytes, bool write, const Site& site) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  const Buffer& buffer = find(address, bytes, site);
  if (address % bytes != 0) {
    throw Fault(to_string(site) + ": " + std::to_string(bytes) + " bytes at a misaligned address of " + buffer.name);
  }
  if (write && buffer.rights == Rights::kRead) throw Fault(to_string(site) + ": " + buffer.name + " is an input");
  const std::size_t offset = address - buffer.begin;
  for (std::size_t grain = offset / kGrain; grain < (offset + bytes + kGrain - 1) / kGrain; ++grain) {
    Touched& touched = buffer.touched[grain];
    const bool read = is_other(touched.first_reader) || is_other(touched.last_reader);
    if (is_other(touched.writer) || (write && read)) {
      throw Fault(to_string(site) + ": byte " + std::to_string(grain * kGrain) + " of " + buffer.name +
                  " is written by one block and touched by another of the same launch");
    }
    if (write) {
      touched.writer = block_;
    } else {
      if (touched.first_reader < first_block_) touched.first_reader = block_;
      touched.last_reader = block_;
    }
  }
}

void WarpRequests::add(unsigned lane, const void* address, std::size_t bytes, bool write, const Site& site) {
  lanes_[lane].push_back(
      {site, meetings_[lane], reinterpret_cast<std::uintptr_t>(address), static_cast<std::uint32_t>(bytes), write});
}

void WarpRequests::converge(unsigned lane) { ++meetings_[lane]; }

void WarpRequests::flush(Traffic* traffic) {
  // Meeting, site, how often the lane was there since the meeting, sector, write.
  std::vector<std::tuple<std::uint32_t, const char*, int, std::uint32_t, std::uint64_t, bool>> touched;
  for (std::vector<Access>& accesses : lanes_) {
    std::map<std::tuple<std::uint32_t, const char*, int>, std::uint32_t> visits;
    for (const Access& access : accesses) {
      const std::uint32_t visit = visits[{access.meeting, access.site.file, access.site.line}]++;
      if (access.address == 0) continue;
      const std::uint64_t last = (access.address + access.bytes - 1) / kSectorBytes;
      for (std::uint64_t sector = access.address / kSectorBytes; sector <= last; ++sector) {
        touched.emplace_back(access.meeting, access.site.file, access.site.line, visit, sector, access.write);
      }
    }
    accesses.clear();
  }
  meetings_ = {};
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const auto& sector : touched) ++(std::get<5>(sector) ? traffic->written_sectors : traffic->read_sectors);
}

}  // namespace vidrt::cuda_host
