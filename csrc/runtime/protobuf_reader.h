// Walks a serialized protobuf message field by field, within bounds, without knowing its schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vidrt {

/// Iterates over the fields of one message that lies in memory. Throws BundleError for truncated or overlong fields,
/// field number 0 and groups (which no format we read uses). Its messages begin with `subject`, which must outlive the
/// reader: "'x.onnx' is no valid ONNX graph".
class ProtobufReader {
 public:
  enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  ProtobufReader(std::string_view message, const std::string& subject) : whole_(message), rest_(message), subject_(subject) {}

  /// Advance to the next field; false at the end of the message.
  bool next();

  std::uint32_t field() const { return field_; }
  /// The current field as it lies in the message, tag included: to copy it unchanged.
  std::string_view raw() const { return whole_.substr(0, whole_.size() - rest_.size()); }
  /// Values of the current field. Throws BundleError when its wire type is another: what protobuf's own reader would
  /// pass over as unknown must not hide here.
  std::uint64_t varint() const;
  std::string_view bytes() const;
  float fixed32_float() const;
  /// Integers of a repeated field, packed or not, are appended to `values`, which may grow to at most `max`.
  template <typename Values>
  void append_varints(Values* values, std::size_t max) const {
    if (wire_ == Wire::kVarint) {
      add(values, varint_, max);
      return;
    }
    ProtobufReader packed(bytes(), subject_);
    while (!packed.rest_.empty()) add(values, packed.read_varint(), max);
  }

  [[noreturn]] void fail(const std::string& what) const;

 private:
  template <typename Values>
  void add(Values* values, std::uint64_t value, std::size_t max) const {
    if (values->size() == max) fail("a list is longer than " + std::to_string(max));
    values->push_back(static_cast<typename Values::value_type>(value));
  }
  std::uint64_t read_varint();
  std::string_view take(std::uint64_t size);

  std::string_view whole_;  // from the start of the current field
  std::string_view rest_;
  const std::string& subject_;
  std::uint32_t field_ = 0;
  Wire wire_ = Wire::kVarint;
  std::uint64_t varint_ = 0;
  std::string_view bytes_;  // of kBytes and the fixed widths
};

}  // namespace vidrt
