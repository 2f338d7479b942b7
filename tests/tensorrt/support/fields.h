// Plugin fields as the ONNX parser hands them over.
#pragma once

#include <NvInferRuntime.h>

#include <deque>
#include <string>
#include <vector>

namespace vidrt::trt::testing {

class Fields {
 public:
  Fields& numbers(const char* name, std::vector<std::int32_t> values) {
    const std::vector<std::int32_t>& kept = numbers_.emplace_back(std::move(values));
    return raw({name, kept.data(), nvinfer1::PluginFieldType::kINT32, static_cast<std::int32_t>(kept.size())});
  }
  Fields& flag(const char* name, std::int32_t value = 1) { return numbers(name, {value}); }
  Fields& word(const char* name, std::string value) {
    const std::string& kept = words_.emplace_back(std::move(value));
    // The parser counts the zero at the end.
    return raw({name, kept.c_str(), nvinfer1::PluginFieldType::kCHAR, static_cast<std::int32_t>(kept.size() + 1)});
  }
  Fields& raw(const nvinfer1::PluginField& field) {
    fields_.push_back(field);
    return *this;
  }

  nvinfer1::PluginFieldCollection collection() const {
    return {static_cast<std::int32_t>(fields_.size()), fields_.data()};
  }

 private:
  std::deque<std::vector<std::int32_t>> numbers_;
  std::deque<std::string> words_;
  std::vector<nvinfer1::PluginField> fields_;
};

}  // namespace vidrt::trt::testing
