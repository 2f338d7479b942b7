#include "tensorrt/plugins/plugin_fields.h"

#include <cstring>
#include <set>
#include <stdexcept>

#include "kernels/depthwise_conv3d.h"

namespace vidrt::trt {
namespace {

using kernels::DepthwiseConv3dAttributes;
using nvinfer1::PluginField;
using nvinfer1::PluginFieldType;

struct FieldValue {
  std::vector<std::int32_t> numbers;
  std::string word;
};

struct FieldRule {
  const char* name;
  std::int32_t numbers;  // how many; 0: the field is a word
  bool separable_only;
  void (*set)(ConvSpec& spec, const FieldValue& value);  // may throw std::invalid_argument
  FieldValue (*get)(const ConvSpec& spec);

  bool belongs_to(ConvOperator op) const { return !separable_only || op == ConvOperator::kDepthwiseSeparable; }
};

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

template <std::array<std::int64_t, 3> DepthwiseConv3dAttributes::*Member>
constexpr FieldRule axes_rule(const char* name) {
  return {name, 3, false,
          [](ConvSpec& spec, const FieldValue& value) {
            std::copy(value.numbers.begin(), value.numbers.end(), (spec.attributes.*Member).begin());
          },
          [](const ConvSpec& spec) {
            FieldValue value;
            for (const std::int64_t number : spec.attributes.*Member) {
              value.numbers.push_back(static_cast<std::int32_t>(number));
            }
            return value;
          }};
}

template <bool ConvSpec::*Member>
constexpr FieldRule flag_rule(const char* name, bool separable_only = false) {
  return {name, 1, separable_only,
          [](ConvSpec& spec, const FieldValue& value) {
            const std::int32_t number = value.numbers[0];
            if (number != 0 && number != 1) refuse("got " + std::to_string(number) + ", expected 0 or 1.");
            spec.*Member = number == 1;
          },
          [](const ConvSpec& spec) {
            return FieldValue{{spec.*Member ? 1 : 0}, {}};
          }};
}

constexpr FieldRule word_rule(const char* name, bool separable_only, void (*set)(ConvSpec&, const FieldValue&),
                              FieldValue (*get)(const ConvSpec&)) {
  return {name, 0, separable_only, set, get};
}

const FieldRule kRules[] = {
    axes_rule<&DepthwiseConv3dAttributes::strides>("strides"),
    axes_rule<&DepthwiseConv3dAttributes::dilations>("dilations"),
    word_rule(
        "temporal_padding", false,
        [](ConvSpec& s, const FieldValue& v) {
          s.attributes.temporal_padding = kernels::parse_temporal_padding(v.word);
        },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.temporal_padding)};
        }),
    word_rule(
        "temporal_pad_mode", false,
        [](ConvSpec& s, const FieldValue& v) {
          s.attributes.temporal_pad_mode = kernels::parse_pad_mode("temporal_pad_mode", v.word);
        },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.temporal_pad_mode)};
        }),
    word_rule(
        "spatial_padding", false,
        [](ConvSpec& s, const FieldValue& v) { s.attributes.spatial_padding = kernels::parse_spatial_padding(v.word); },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.spatial_padding)};
        }),
    word_rule(
        "spatial_pad_mode", false,
        [](ConvSpec& s, const FieldValue& v) {
          s.attributes.spatial_pad_mode = kernels::parse_pad_mode("spatial_pad_mode", v.word);
        },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.spatial_pad_mode)};
        }),
    word_rule(
        "activation", false,
        [](ConvSpec& s, const FieldValue& v) {
          s.attributes.activation = kernels::parse_activation("activation", v.word);
        },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.activation)};
        }),
    word_rule(
        "output_activation", true,
        [](ConvSpec& s, const FieldValue& v) {
          s.output_activation = kernels::parse_activation("output_activation", v.word);
        },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.output_activation)};
        }),
    word_rule(
        "data_layout", false,
        [](ConvSpec& s, const FieldValue& v) { s.attributes.data_layout = kernels::parse_data_layout(v.word); },
        [](const ConvSpec& s) {
          return FieldValue{{}, kernels::to_string(s.attributes.data_layout)};
        }),
    flag_rule<&ConvSpec::has_bias>("has_bias"),
    flag_rule<&ConvSpec::has_pointwise_bias>("has_pointwise_bias", true),
    flag_rule<&ConvSpec::has_residual>("has_residual"),
    flag_rule<&ConvSpec::has_cache_in>("has_cache_in"),
    flag_rule<&ConvSpec::has_cache_out>("has_cache_out"),
};

const FieldRule& rule_of(ConvOperator op, const std::string& name) {
  std::string known;
  for (const FieldRule& rule : kRules) {
    if (!rule.belongs_to(op)) continue;
    if (name == rule.name) return rule;
    known += (known.empty() ? "" : ", ") + std::string(rule.name);
  }
  refuse("field '" + name + "': not known, expected one of " + known + ".");
}

FieldValue value_of(const FieldRule& rule, const PluginField& field) {
  const PluginFieldType type = rule.numbers > 0 ? PluginFieldType::kINT32 : PluginFieldType::kCHAR;
  if (field.type != type) {
    refuse("got the plugin field type " + std::to_string(static_cast<int>(field.type)) + ", expected " +
           (rule.numbers > 0 ? "int32 (kINT32)." : "characters (kCHAR)."));
  }
  if (field.data == nullptr || field.length < 1) refuse("got no value.");
  FieldValue value;
  if (rule.numbers == 0) {
    const char* text = static_cast<const char*>(field.data);
    value.word.assign(text, strnlen(text, static_cast<std::size_t>(field.length)));
    return value;
  }
  if (field.length != rule.numbers) {
    refuse("got " + std::to_string(field.length) + " numbers, expected " + std::to_string(rule.numbers) + ".");
  }
  value.numbers.resize(static_cast<std::size_t>(field.length));
  std::memcpy(value.numbers.data(), field.data, value.numbers.size() * sizeof(std::int32_t));
  return value;
}

// Refuses what no input can make right. Input sizes are checked when they are known.
void check(const ConvSpec& spec) {
  if ((spec.has_cache_in || spec.has_cache_out) &&
      spec.attributes.temporal_padding != kernels::TemporalPadding::kCausal) {
    refuse(std::string("has_cache_in, has_cache_out: got 1 with temporal_padding '") +
           kernels::to_string(spec.attributes.temporal_padding) + "', expected 'causal'; no other has caches.");
  }
  kernels::DepthwiseConv3dInputs smallest;
  smallest.x = {1, 1, 1, 1, 1};
  smallest.weight = {1, 1, 1, 1, 1};
  kernels::make_depthwise_conv3d_problem(spec.attributes, kernels::ElementType::kFloat32, smallest);
}

}  // namespace

std::vector<PluginField> field_names(ConvOperator op) {
  std::vector<PluginField> names;
  for (const FieldRule& rule : kRules) {
    if (!rule.belongs_to(op)) continue;
    const PluginFieldType type = rule.numbers > 0 ? PluginFieldType::kINT32 : PluginFieldType::kCHAR;
    names.emplace_back(rule.name, nullptr, type, rule.numbers);
  }
  return names;
}

ConvSpec read_fields(ConvOperator op, const nvinfer1::PluginFieldCollection& fields) {
  ConvSpec spec;
  spec.op = op;
  std::set<std::string> seen;
  for (std::int32_t i = 0; i < fields.nbFields; ++i) {
    const PluginField& field = fields.fields[i];
    const std::string name = field.name == nullptr ? "" : field.name;
    const FieldRule& rule = rule_of(op, name);
    try {
      if (!seen.insert(name).second) refuse("given twice.");
      rule.set(spec, value_of(rule, field));
    } catch (const std::invalid_argument& error) {
      refuse("field '" + name + "': " + error.what());
    }
  }
  check(spec);
  return spec;
}

std::string describe(const ConvSpec& spec) {
  std::string text;
  for (const FieldRule& rule : kRules) {
    if (!rule.belongs_to(spec.op)) continue;
    const FieldValue value = rule.get(spec);
    text += (text.empty() ? "" : " ") + std::string(rule.name) + "=" + value.word;
    for (std::size_t i = 0; i < value.numbers.size(); ++i) {
      text += (i == 0 ? "" : ",") + std::to_string(value.numbers[i]);
    }
  }
  return text;
}

SerializedFields::SerializedFields(const ConvSpec& spec) {
  // Fields point into the two vectors, which therefore never grow past what is reserved.
  numbers_.reserve(std::size(kRules));
  words_.reserve(std::size(kRules));
  for (const FieldRule& rule : kRules) {
    if (!rule.belongs_to(spec.op)) continue;
    FieldValue value = rule.get(spec);
    if (rule.numbers > 0) {
      numbers_.push_back(std::move(value.numbers));
      fields_.emplace_back(rule.name, numbers_.back().data(), PluginFieldType::kINT32, rule.numbers);
    } else {
      words_.push_back(std::move(value.word));
      const auto length = static_cast<std::int32_t>(words_.back().size() + 1);  // the zero at the end included
      fields_.emplace_back(rule.name, words_.back().c_str(), PluginFieldType::kCHAR, length);
    }
  }
  collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
}

}  // namespace vidrt::trt
