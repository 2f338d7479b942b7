#include "onnxruntime/weight_streaming_op.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/custom_ops/plain_custom_op.h"
#include "onnxruntime/ort_library.h"
#include "runtime/streamed_kernels.h"
#include "runtime/weights.h"

namespace vidrt {
namespace {

using custom_ops::as_status;
using custom_ops::require;

// Read at once by a thread, and then let go: no more of a file is the process's memory than its threads read.
constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;

// A weight on its way to memory, in pieces that begin at multiples of kPiece in the file, and so at a page.
class Reading {
 public:
  Reading(const MappedWeight& weight, std::uint8_t* target)
      : weight_(weight), target_(target), end_(weight.offset + weight.bytes()) {}

  std::size_t pieces() const {
    return static_cast<std::size_t>((end_ + kPiece - 1) / kPiece - weight_.offset / kPiece);
  }

  void read(std::size_t piece) const {
    const std::uint64_t first = (weight_.offset / kPiece + piece) * kPiece;
    const std::uint64_t from = std::max(first, weight_.offset);
    const std::uint64_t bytes = std::min(first + kPiece, end_) - from;
    const std::uint8_t* const source = weight_.file->data() + from;
    const std::uint64_t elements_before = (from - weight_.offset) / dtype_bytes(weight_.dtype);
    std::uint8_t* const target = target_ + elements_before * sizeof(float);
    if (weight_.dtype == DType::kFloat32) {
      std::memcpy(target, source, bytes);
    } else {
      widen(source, weight_.dtype, bytes / dtype_bytes(weight_.dtype), target);
    }
    weight_.file->drop_pages(from, bytes);
  }

  // Once all pieces were read: who reads the beginning of one has the system map the end of the one before as well.
  void drop() const { weight_.drop_pages(); }

 private:
  const MappedWeight& weight_;
  std::uint8_t* target_;
  std::uint64_t end_;
};

void read_piece(void* reading, std::size_t piece) { static_cast<const Reading*>(reading)->read(piece); }

// A node of the graph.
struct Kernel {
  const OrtApi& api;
  const MappedWeight& weight;

  void run(OrtKernelContext* context) const {
    OrtValue* value = nullptr;
    require(api, api.KernelContext_GetOutput(context, 0, weight.shape.data(), weight.shape.size(), &value));
    void* data = nullptr;
    require(api, api.GetTensorMutableData(value, &data));
    Reading reading(weight, static_cast<std::uint8_t*>(data));
    // No batches: a thread that is done takes the next piece.
    require(api, api.KernelContext_ParallelFor(context, read_piece, reading.pieces(), 0, &reading));
    reading.drop();
  }
};

}  // namespace

struct WeightStreaming::Op : custom_ops::PlainCustomOp {
  Op(const OrtApi& ort, std::vector<MappedWeight> streamed) : api(ort), weights(std::move(streamed)) {
    GetName = [](const OrtCustomOp*) { return kReadWeight; };
    GetInputTypeCount = GetOutputTypeCount = [](const OrtCustomOp*) { return std::size_t{1}; };
    GetInputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
    GetOutputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
    CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi* ort_api, const OrtKernelInfo* info,
                        void** kernel) -> OrtStatus* {
      return as_status(*ort_api, kReadWeight, [&] { *kernel = static_cast<const Op*>(op)->make_kernel(info); });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) -> OrtStatus* {
      const Kernel& reader = *static_cast<const Kernel*>(kernel);
      return as_status(reader.api, kReadWeight, [&] { reader.run(context); });
    };
    KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  }

  Kernel* make_kernel(const OrtKernelInfo* info) const {
    std::int64_t index = 0;
    require(api, api.KernelInfoGetAttribute_int64(info, kWeightAttribute, &index));
    return new Kernel{api, weights.at(static_cast<std::size_t>(index))};
  }

  const OrtApi& api;
  const std::vector<MappedWeight> weights;
};

WeightStreaming::WeightStreaming(const OrtApi& api, std::vector<MappedWeight> weights,
                                 std::vector<ConvSumOp::Kernel> kernels, int threads)
    : api_(api),
      op_(std::make_unique<Op>(api, std::move(weights))),
      conv_sum_(api, std::move(kernels), threads),
      domain_(nullptr, api.ReleaseCustomOpDomain) {
  const std::string what = "registering the operators that read weights";
  OrtCustomOpDomain* raw = nullptr;
  check_ort(api, api.CreateCustomOpDomain(kStreamingDomain, &raw), what);
  domain_.reset(raw);
  check_ort(api, api.CustomOpDomain_Add(raw, op_.get()), what);
  check_ort(api, api.CustomOpDomain_Add(raw, &conv_sum_), what);
}

WeightStreaming::~WeightStreaming() = default;

void WeightStreaming::add_to(OrtSessionOptions* options) const {
  check_ort(api_, api_.AddCustomOpDomain(options, domain_.get()), "registering the operators that read weights");
}

}  // namespace vidrt
