#include "support/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Tensors = std::vector<NamedTensor>;

const TensorView* find(const Tensors& tensors, const std::string& name) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor.view;
  }
  return nullptr;
}

const TensorView& need(const Tensors& tensors, const std::string& name) {
  const TensorView* found = find(tensors, name);
  if (found == nullptr) throw BackendError("the tensor '" + name + "' is not bound.");
  return *found;
}

// Names, ranks and fixed dimensions must be those declared; symbols must agree with one another by rank only.
void check_bound(const std::vector<TensorSpec>& specs, const Tensors& tensors) {
  if (specs.size() != tensors.size()) throw BackendError("a declared tensor is not bound, or one too many is.");
  for (const TensorSpec& spec : specs) {
    const TensorView& view = need(tensors, spec.name);
    if (view.dtype != spec.dtype || view.shape.size() != spec.shape.size()) {
      throw BackendError("the tensor '" + spec.name + "' is bound as " + dtype_name(view.dtype) + " " +
                         shape_string(view.shape) + ".");
    }
    for (std::size_t i = 0; i < spec.shape.size(); ++i) {
      const bool fixed =
          std::all_of(spec.shape[i].begin(), spec.shape[i].end(), [](char c) { return c >= '0' && c <= '9'; });
      if (fixed && std::to_string(view.shape[i]) != spec.shape[i]) {
        throw BackendError("the tensor '" + spec.name + "' is bound as " + shape_string(view.shape) + ".");
      }
    }
  }
}

// text_embeds[l][d] depends on the token and the column; zero after the mask.
void run_text_encoder(const Tensors& inputs, const Tensors& outputs) {
  const TensorView& ids = need(inputs, "input_ids");
  const TensorView& mask = need(inputs, "attention_mask");
  const TensorView& embeds = need(outputs, "text_embeds");
  const std::int64_t dim = embeds.shape[2];
  for (std::int64_t i = 0; i < ids.elements(); ++i) {
    for (std::int64_t d = 0; d < dim; ++d) {
      const float value =
          std::sin(0.37f * static_cast<float>(ids.as<std::int64_t>()[i]) + 0.11f * static_cast<float>(d));
      embeds.as<float>()[i * dim + d] = mask.as<std::int64_t>()[i] != 0 ? value : 0.0f;
    }
  }
}

// The mean over all columns of a prompt's rows, each as often as it counts.
float text_mean(const TensorView& embeds, const TensorView* counts, std::int64_t prompt) {
  const std::int64_t dim = embeds.shape[2];
  float sum = 0.0f;
  float rows = 0.0f;
  for (std::int64_t l = prompt * embeds.shape[1]; l < (prompt + 1) * embeds.shape[1]; ++l) {
    const float count = counts == nullptr ? 1.0f : counts->as<float>()[l];
    rows += count;
    for (std::int64_t d = 0; d < dim; ++d) sum += count * embeds.as<float>()[l * dim + d];
  }
  return sum / (rows * static_cast<float>(dim));
}

// prediction = 0.5 * latents + the text's mean + a little of the frame's timestep; rows of the batch are independent.
void run_denoiser(const Tensors& inputs, const Tensors& outputs) {
  const TensorView& latents = need(inputs, "latents");
  const TensorView& timestep = need(inputs, "timestep");
  const TensorView& embeds = need(inputs, "text_embeds");
  const TensorView& prediction = need(outputs, "prediction");
  const std::int64_t frame = latents.shape[3] * latents.shape[4];
  const std::int64_t frames = latents.shape[2];
  const std::int64_t row = latents.shape[1] * frames * frame;
  for (std::int64_t b = 0; b < latents.shape[0]; ++b) {
    const float mean = text_mean(embeds, find(inputs, "text_counts"), b);
    for (std::int64_t i = 0; i < row; ++i) {
      const std::int64_t t = i / frame % frames;
      prediction.as<float>()[b * row + i] =
          0.5f * latents.as<float>()[b * row + i] + mean + 1e-4f * timestep.as<float>()[b * frames + t];
    }
  }
}

// Every cache is a state that decays and takes up each latent frame's mean, and every pixel reads the states: frames
// depend on all frames before them, so any mistake in handing over caches shows.
class CausalDecoder {
 public:
  CausalDecoder(const Tensors& inputs, const Tensors& outputs)
      : latents_(need(inputs, "latents")), frames_(need(outputs, "frames")) {
    for (int i = 0; const TensorView* out = find(outputs, "cache_out_" + std::to_string(i)); ++i) {
      std::vector<float> state(static_cast<std::size_t>(out->elements()), 0.0f);
      const TensorView* in = find(inputs, "cache_in_" + std::to_string(i));
      if (in != nullptr) {
        if (in->data == out->data) throw BackendError("cache_in and cache_out alias.");
        std::copy_n(in->as<float>(), state.size(), state.begin());
      }
      states_.push_back(std::move(state));
      outs_.push_back(out);
    }
  }

  void run() {
    const std::int64_t latent_frames = latents_.shape[2];
    const std::int64_t frames = frames_.shape[2];
    const std::int64_t per_latent = frames / latent_frames;
    for (std::int64_t t = 0; t < latent_frames; ++t) {
      advance(t);
      for (std::int64_t j = 0; j < per_latent; ++j) draw(t, t * per_latent + j, j);
    }
    for (std::size_t i = 0; i < states_.size(); ++i)
      std::copy(states_[i].begin(), states_[i].end(), outs_[i]->as<float>());
  }

 private:
  float latent(std::int64_t c, std::int64_t t, std::int64_t y, std::int64_t x) const {
    const Shape& s = latents_.shape;
    return latents_.as<float>()[((c * s[2] + t) * s[3] + y) * s[4] + x];
  }

  void advance(std::int64_t t) {
    const Shape& s = latents_.shape;
    float mean = 0.0f;
    for (std::int64_t c = 0; c < s[1]; ++c) {
      for (std::int64_t i = 0; i < s[3] * s[4]; ++i) mean += latent(c, t, i / s[4], i % s[4]);
    }
    mean /= static_cast<float>(s[1] * s[3] * s[4]);
    for (std::vector<float>& state : states_) {
      for (std::size_t i = 0; i < state.size(); ++i) {
        state[i] = 0.5f * state[i] + mean * (1.0f + 0.01f * static_cast<float>(i % 7));
      }
    }
  }

  void draw(std::int64_t t, std::int64_t frame, std::int64_t j) {
    const Shape& s = frames_.shape;
    const std::int64_t scale = s[3] / latents_.shape[3];
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t y = 0; y < s[3]; ++y) {
        for (std::int64_t x = 0; x < s[4]; ++x) {
          float value = latent(c % latents_.shape[1], t, y / scale, x / scale) + 0.1f * static_cast<float>(j);
          for (const std::vector<float>& state : states_) {
            value += 0.2f * state[static_cast<std::size_t>(c + y + x) % state.size()];
          }
          frames_.as<float>()[((c * s[2] + frame) * s[3] + y) * s[4] + x] = std::tanh(value);
        }
      }
    }
  }

  const TensorView& latents_;
  const TensorView& frames_;
  std::vector<std::vector<float>> states_;
  std::vector<const TensorView*> outs_;
};

// Every pixel reads the means of the latent frames around its own, those beyond an end being the end's: a call that is
// given too few of them shows.
void run_whole_decoder(const Tensors& inputs, const Tensors& outputs, const VaeConfig& vae, ReceptiveField reads) {
  const TensorView& latents = need(inputs, "latents");
  const TensorView& frames = need(outputs, "frames");
  const std::int64_t times = latents.shape[2];
  const std::int64_t size = latents.shape[3] * latents.shape[4];
  std::vector<float> means(static_cast<std::size_t>(times), 0.0f);
  for (std::int64_t i = 0; i < latents.elements(); ++i) {
    means[static_cast<std::size_t>(i / size % times)] += latents.as<float>()[i] / static_cast<float>(size);
  }
  const std::int64_t dropped = vae.single_first_frame ? vae.temporal_ratio - 1 : 0;
  const std::int64_t pixels = frames.shape[3] * frames.shape[4];
  for (std::int64_t i = 0; i < frames.elements(); ++i) {
    const std::int64_t frame = i / pixels % frames.shape[2] + dropped;
    const std::int64_t own = frame / vae.temporal_ratio;
    float value = 0.05f * static_cast<float>(frame % vae.temporal_ratio) + 0.01f * static_cast<float>(i % pixels % 7);
    for (std::int64_t t = own - reads.before; t <= own + reads.after; ++t) {
      const auto weight = static_cast<float>(0.3 + 0.1 * static_cast<double>((t - own + reads.before) % 3));
      value += weight * means[static_cast<std::size_t>(std::clamp<std::int64_t>(t, 0, times - 1))];
    }
    frames.as<float>()[i] = std::tanh(0.3f * value);
  }
}

// Each latent channel is the mean of one colour over the pixels of its place, and a little of the channel's own.
void run_image_encoder(const Tensors& inputs, const Tensors& outputs) {
  const TensorView& image = need(inputs, "image");
  const TensorView& latents = need(outputs, "latents");
  const std::int64_t scale = image.shape[3] / latents.shape[3];
  const std::int64_t size = latents.shape[3] * latents.shape[4];
  for (std::int64_t i = 0; i < latents.elements(); ++i) {
    const std::int64_t channel = i / size;
    const std::int64_t top = i % size / latents.shape[4] * scale;
    const std::int64_t left = i % latents.shape[4] * scale;
    float mean = 0.0f;
    for (std::int64_t y = top; y < top + scale; ++y) {
      for (std::int64_t x = left; x < left + scale; ++x) {
        mean += image.as<float>()[(channel % 3 * image.shape[3] + y) * image.shape[4] + x];
      }
    }
    latents.as<float>()[i] = mean / static_cast<float>(scale * scale) + 0.1f * static_cast<float>(channel);
  }
}

std::uint64_t workspace_of(const ReferenceBackend& backend, const std::string& module, const ModuleSizes& sizes) {
  if (module.rfind("vae_decoder", 0) != 0) return backend.workspace_bytes;
  const auto pixels = static_cast<std::uint64_t>(sizes.at("height").max * sizes.at("width").max);
  return backend.workspace_bytes + backend.workspace_per_pixel * pixels;
}

class ReferenceSession : public Session {
 public:
  ReferenceSession(ReferenceBackend& backend, const ModuleRequest& request)
      : backend_(backend),
        module_(request.module),
        variant_(request.variant),
        vae_(request.bundle.manifest().vae),
        sizes_(request.sizes) {
    backend_.count_load();
  }
  ~ReferenceSession() override {
    if (backend_.elsewhere != nullptr) backend_.elsewhere->settle();
    backend_.count_unload();
  }

  void run(const Tensors& inputs, const Tensors& outputs, const Workspace& workspace) override {
    check_bound(variant_.inputs, inputs);
    check_bound(variant_.outputs, outputs);
    const auto streamed = backend_.streamed.find(module_);
    const bool streams = streamed != backend_.streamed.end() && streamed->second != 0;
    const std::uint64_t expected = workspace_of(backend_, module_, sizes_) + (streams ? backend_.staging_bytes : 0);
    if (workspace.bytes != expected) throw BackendError("the workspace has another size.");
    if (backend_.on_run) backend_.on_run(module_);
    Tensors written = outputs;
    if (workspace.bytes != 0) {
      const auto bytes = static_cast<std::int64_t>(workspace.bytes);
      written.push_back({"workspace", {workspace.data, DType::kUInt8, {bytes}}});
    }
    if (backend_.elsewhere == nullptr) return compute(inputs, written);
    backend_.elsewhere->run(inputs, written, [this](const Tensors& in, const Tensors& out) { compute(in, out); });
  }
  bool takes(const ModuleSizes& sizes) const override { return !backend_.exact || takes_sizes(sizes_, sizes); }

 private:
  void compute(const Tensors& inputs, const Tensors& outputs) {
    if (const TensorView* workspace = find(outputs, "workspace"))
      std::memset(workspace->data, 0xff, workspace->bytes());
    if (backend_.before_run) backend_.before_run(module_);
    if (module_ == "text_encoder") {
      run_text_encoder(inputs, outputs);
    } else if (module_ == "denoiser") {
      run_denoiser(inputs, outputs);
      if (backend_.poison_denoiser) *need(outputs, "prediction").as<float>() = std::nanf("");
    } else if (module_ == "vae_encoder") {
      run_image_encoder(inputs, outputs);
      if (backend_.poison_encoder) *need(outputs, "latents").as<float>() = std::nanf("");
    } else if (module_ == "vae_decoder") {
      run_whole_decoder(inputs, outputs, vae_, backend_.reads);
    } else {
      CausalDecoder(inputs, outputs).run();
    }
    if (backend_.after_run) backend_.after_run(module_, inputs, outputs);
  }

  ReferenceBackend& backend_;
  std::string module_;
  const Variant& variant_;
  const VaeConfig vae_;
  const ModuleSizes sizes_;
};

}  // namespace

void ReferenceBackend::count_load() {
  ++loads_;
  const int now = ++alive_;
  int most = most_alive_.load();
  while (now > most && !most_alive_.compare_exchange_weak(most, now)) {
  }
}

ModuleNeeds ReferenceBackend::needs(const ModuleRequest& request) const {
  const auto found = built.find(request.module);
  if (found != built.end() && !takes_sizes(found->second, request.sizes)) {
    throw BackendError("no engine of " + request.module + " takes these sizes.");
  }
  const std::uint64_t weights = loaded_weight_bytes(request.variant) * weight_scale;
  return {weights, workspace_of(*this, request.module, request.sizes), weights * streamable_percent / 100,
          staging_bytes};
}

std::unique_ptr<Session> ReferenceBackend::load(const ModuleRequest& request, const SessionOptions& options) {
  needs(request);
  if (streamable_percent != 0) streamed[request.module] = options.streamed_bytes;
  return std::make_unique<ReferenceSession>(*this, request);
}

}  // namespace vidrt::testing
