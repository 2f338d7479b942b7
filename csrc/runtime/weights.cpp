#include "runtime/weights.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <tuple>
#include <utility>

#include "runtime/onnx_tensor.h"
#include "runtime/verified_files.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// What makes two weights the same: file as it is now, range, and form in memory.
using WeightKey = std::tuple<std::string, std::int64_t, std::uint64_t, std::uint64_t, std::int64_t, Shape,
                             bool, bool>;

// The weights that somebody holds at the moment. Never destroyed: sessions may outlive static objects.
struct Registry {
  std::mutex mutex;
  std::map<WeightKey, std::weak_ptr<const Weight>> weights;
};

Registry& registry() {
  static Registry* const registry = new Registry;
  return *registry;
}

// Takes its entry along when the last holder lets go.
struct Unregister {
  WeightKey key;
  void operator()(const Weight* weight) const {
    delete weight;
    const std::lock_guard<std::mutex> lock(registry().mutex);
    const auto entry = registry().weights.find(key);
    // Meanwhile another thread may have loaded the same weight anew.
    if (entry != registry().weights.end() && entry->second.expired()) registry().weights.erase(entry);
  }
};

float half_to_float(std::uint16_t half) {
  // Shifted into float32's fields the number is 2^112 too small; subnormals come out right as well.
  const std::uint32_t magnitude = (half & 0x7fffU) << 13U;
  float value = 0.0f;
  std::memcpy(&value, &magnitude, sizeof(value));
  value *= 0x1p112f;
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  bits |= (half & 0x7c00U) == 0x7c00U ? 0x7f800000U : 0U;  // infinity and not-a-number
  bits |= (half & 0x8000U) << 16U;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float bfloat16_to_float(std::uint16_t brain) {
  const std::uint32_t bits = static_cast<std::uint32_t>(brain) << 16U;
  float value = 0.0f;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Tile by tile: whole columns of a large matrix would miss the cache at every element.
template <typename T>
void transpose_as(const std::uint8_t* source, std::size_t rows, std::size_t columns, std::uint8_t* target) {
  constexpr std::size_t kTile = 32;
  for (std::size_t top = 0; top < rows; top += kTile) {
    for (std::size_t left = 0; left < columns; left += kTile) {
      for (std::size_t row = top; row < std::min(top + kTile, rows); ++row) {
        for (std::size_t column = left; column < std::min(left + kTile, columns); ++column) {
          std::memcpy(target + (column * rows + row) * sizeof(T), source + (row * columns + column) * sizeof(T),
                      sizeof(T));
        }
      }
    }
  }
}

std::vector<std::uint8_t> transpose(const std::uint8_t* source, const Shape& dims, DType dtype) {
  const auto rows = static_cast<std::size_t>(dims[0]);
  const auto columns = static_cast<std::size_t>(dims[1]);
  std::vector<std::uint8_t> target(rows * columns * dtype_bytes(dtype));
  switch (dtype_bytes(dtype)) {
    case 1:
      transpose_as<std::uint8_t>(source, rows, columns, target.data());
      break;
    case 2:
      transpose_as<std::uint16_t>(source, rows, columns, target.data());
      break;
    case 4:
      transpose_as<std::uint32_t>(source, rows, columns, target.data());
      break;
    default:
      transpose_as<std::uint64_t>(source, rows, columns, target.data());
      break;
  }
  return target;
}

void fill(const LiftedWeight& lifted, std::shared_ptr<const MappedFile> file, Weight* weight) {
  const std::uint8_t* bytes = file->data() + lifted.stored.offset;
  weight->view.shape = lifted.shape();
  weight->view.dtype = lifted.dtype();
  if (lifted.widened) {
    weight->own.resize(weight->view.bytes());
    widen(bytes, dtype_from_onnx(lifted.stored.data_type).value(), weight->own.size() / sizeof(float),
          weight->own.data());
    bytes = weight->own.data();
  }
  if (lifted.transposed) {
    weight->own = transpose(bytes, lifted.stored.dims, weight->view.dtype);
    bytes = weight->own.data();
  }
  if (weight->own.empty()) {
    weight->file = std::move(file);
  } else {
    file->drop_pages(lifted.stored.offset, lifted.stored.length);
  }
  weight->view.data = const_cast<std::uint8_t*>(bytes);  // sessions only read weights
}

}  // namespace

void widen(const std::uint8_t* source, DType dtype, std::size_t count, std::uint8_t* target) {
  const auto convert = [&](auto to_float) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t value = 0;
      std::memcpy(&value, source + 2 * i, sizeof(value));
      const float wide = to_float(value);
      std::memcpy(target + sizeof(wide) * i, &wide, sizeof(wide));
    }
  };
  if (dtype == DType::kFloat16) {
    convert([](std::uint16_t value) { return half_to_float(value); });
  } else if (dtype == DType::kBFloat16) {
    convert([](std::uint16_t value) { return bfloat16_to_float(value); });
  } else {
    throw InvalidArgument(std::string("cannot widen ") + dtype_name(dtype) + "; expected float16 or bfloat16.");
  }
}

std::shared_ptr<const Weight> WeightLoader::load(const LiftedWeight& lifted) {
  const DataFile& declared = bundle_.manifest().data_files.at(lifted.stored.location);
  const std::string path = bundle_.resolve(lifted.stored.location);
  const FileStamp stamp = file_stamp(path, declared.sha256);
  const WeightKey key{path,
                      stamp.modified_ns,
                      stamp.bytes,
                      lifted.stored.offset,
                      lifted.stored.data_type,
                      lifted.stored.dims,
                      lifted.widened,
                      lifted.transposed};
  const std::shared_ptr<Weight> weight(new Weight, Unregister{key});  // outlives the lock: letting go takes it, too
  // Held while converting: of two sessions that want the same weight, the second shall find it.
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto entry = registry().weights.find(key);
  if (entry != registry().weights.end()) {
    if (std::shared_ptr<const Weight> known = entry->second.lock()) return known;
  }
  fill(lifted, file(lifted.stored.location), weight.get());
  registry().weights[key] = weight;
  return weight;
}

std::shared_ptr<const MappedFile> WeightLoader::file(const std::string& location) {
  std::shared_ptr<const MappedFile>& file = files_[location];
  if (file == nullptr) {
    const std::uint64_t bytes = bundle_.manifest().data_files.at(location).bytes;
    file = std::make_shared<MappedFile>(bundle_.resolve(location), bytes);
  }
  return file;
}

}  // namespace vidrt
