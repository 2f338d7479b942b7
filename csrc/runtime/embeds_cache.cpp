#include "runtime/embeds_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "runtime/cache_folder.h"
#include "runtime/paths.h"
#include "runtime/sha256.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".safetensors";
constexpr std::uint64_t kMaxHeaderBytes = 4096;  // of an entry, whose metadata are two hashes

std::string values_hash(const PromptEmbeds& embeds) {
  Sha256 hash;
  hash.update(embeds.values.data(), embeds.values.size() * sizeof(float));
  return hash.finish();
}

std::uint64_t max_file_bytes(std::int64_t length, std::int64_t dim) {
  const auto rows = static_cast<std::uint64_t>(length);
  return kMaxHeaderBytes + rows * static_cast<std::uint64_t>(dim) * sizeof(float) + rows * sizeof(std::int64_t);
}

// Throws Error for anything but the entry that is wanted.
std::shared_ptr<PromptEmbeds> read_entry(const std::string& path, const WantedEmbeds& wanted) {
  const std::uint64_t bytes = file_size(path);  // before any of it is read
  if (bytes > max_file_bytes(wanted.length, wanted.dim)) {
    throw InvalidArgument("it has " + std::to_string(bytes) + " bytes");
  }
  auto embeds = std::make_shared<PromptEmbeds>(PromptEmbeds::load(path));
  if (embeds->encoder_id != wanted.encoder_id || embeds->length != wanted.length || embeds->dim != wanted.dim ||
      embeds->mask != wanted.mask) {
    throw InvalidArgument("it belongs to another prompt or text encoder");
  }
  if (embeds->prompt != values_hash(*embeds)) throw InvalidArgument("its values are not those that were written");
  embeds->prompt.clear();
  return embeds;
}

// Which file a name stands for at the moment; nothing where there is none.
using Identity = std::tuple<ino_t, time_t, long>;  // numbers are given anew: when it changed tells them apart

std::optional<Identity> identity_of(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  return Identity(status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

// Made here it is the user's alone; one that exists keeps its permissions.
void make_folder(const std::string& folder) {
  std::error_code ignored;
  fs::create_directories(fs::path(folder).parent_path(), ignored);
  if (fs::create_directory(folder, ignored)) fs::permissions(folder, fs::perms::owner_all, ignored);
}

}  // namespace

EmbedsCache::EmbedsCache(std::uint64_t max_bytes) : max_bytes_(max_bytes) {
  const std::string cache = max_bytes == 0 ? "" : cache_folder();
  if (!cache.empty()) folder_ = (fs::path(cache) / "prompt-embeds").string();
}

std::string EmbedsCache::path_of(const std::string& key) const {
  return (fs::path(folder_) / (key + kSuffix)).string();
}

std::shared_ptr<PromptEmbeds> EmbedsCache::find(const WantedEmbeds& wanted, std::string* warning) const {
  if (!enabled()) return nullptr;
  const std::string path = path_of(wanted.key);
  const std::optional<Identity> before = identity_of(path);
  if (!before.has_value()) return nullptr;
  try {
    std::shared_ptr<PromptEmbeds> embeds = read_entry(path, wanted);
    std::error_code error;
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);  // the order in which entries go
    return embeds;
  } catch (const Error& failure) {
    // Another process may have removed it since, and a third have made it anew.
    if (identity_of(path) != before) return nullptr;
    *warning = "'" + path + "', cached embeddings of a prompt, cannot be used and is made anew: " + failure.what();
    return nullptr;
  }
}

void EmbedsCache::store(const std::string& key, PromptEmbeds embeds) const {
  if (!enabled() || max_file_bytes(embeds.length, embeds.dim) > max_bytes_) return;
  // No entry that find() would refuse.
  if (!std::all_of(embeds.values.begin(), embeds.values.end(), [](float value) { return std::isfinite(value); }))
    return;
  embeds.prompt = values_hash(embeds);
  make_folder(folder_);
  try {
    embeds.save(path_of(key));
  } catch (const IoError&) {
    return;  // a read-only home or a full disk: the next process encodes again
  }
  evict();
}

void EmbedsCache::evict() const {
  struct Entry {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  // What an interrupted process left half written is counted too, and goes in its turn.
  for (fs::directory_iterator file(folder_, error), end; !error && file != end; file.increment(error)) {
    std::error_code gone;
    if (!fs::is_regular_file(file->symlink_status(gone))) continue;
    if (file->path().filename().string().find(kSuffix) == std::string::npos) continue;
    const std::uint64_t bytes = file->file_size(gone);
    const fs::file_time_type used = gone ? fs::file_time_type() : file->last_write_time(gone);
    if (gone) continue;
    entries.push_back({used, bytes, file->path()});
    total += bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= max_bytes_) return;
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

}  // namespace vidrt
