#include "runtime/protobuf_reader.h"

#include <cstring>

#include "vidrt/errors.h"

namespace vidrt {

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  whole_ = rest_;
  const std::uint64_t tag = read_varint();
  const std::uint64_t number = tag >> 3U;
  if (number == 0 || number >= (1U << 29U)) fail("a field number is out of range");
  field_ = static_cast<std::uint32_t>(number);
  switch (tag & 7U) {
    case 0:
      wire_ = Wire::kVarint;
      varint_ = read_varint();
      return true;
    case 1:
      wire_ = Wire::kFixed64;
      bytes_ = take(8);
      return true;
    case 2:
      wire_ = Wire::kBytes;
      bytes_ = take(read_varint());
      return true;
    case 5:
      wire_ = Wire::kFixed32;
      bytes_ = take(4);
      return true;
    default:
      fail("a field has a wire type that is not in use");
  }
}

std::uint64_t ProtobufReader::varint() const {
  if (wire_ != Wire::kVarint) fail("field " + std::to_string(field_) + " is no integer");
  return varint_;
}

std::string_view ProtobufReader::bytes() const {
  if (wire_ != Wire::kBytes) fail("field " + std::to_string(field_) + " is no string or message");
  return bytes_;
}

float ProtobufReader::fixed32_float() const {
  if (wire_ != Wire::kFixed32) fail("field " + std::to_string(field_) + " is no float");
  float value = 0.0f;
  std::memcpy(&value, bytes_.data(), sizeof(value));
  return value;
}

void ProtobufReader::fail(const std::string& what) const {
  throw BundleError(subject_ + ": " + what + ". Fetch or export the bundle again.");
}

std::uint64_t ProtobufReader::read_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) fail("it ends in the middle of a number");
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) fail("a number has more than 64 bits");
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number has more than 64 bits");
}

std::string_view ProtobufReader::take(std::uint64_t size) {
  if (size > rest_.size()) fail("a field is longer than what holds it");
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
  rest_.remove_prefix(taken.size());
  return taken;
}

}  // namespace vidrt
