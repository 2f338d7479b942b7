// Text to video in C++: one prompt in, one uncompressed .y4m out, which every player and encoder reads, or the bare
// pixels. Frames are written as they are decoded, so memory stays flat with their number.
//
//   example_cpp_generate models/pocket "a small red circle moving left" circle.y4m
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vidrt/pipeline.h"

namespace {

constexpr const char* kHelp = R"(usage: example_cpp_generate BUNDLE PROMPT OUTPUT [SEED]

  BUNDLE      a vidrt bundle folder, such as models/pocket
  PROMPT      what the video shall show
  OUTPUT      the video to write: NAME.y4m (YUV4MPEG2, 4:4:4), or NAME.rgb (8-bit RGB, frame after frame)
  SEED        a number; the same seed gives the same video (default: 7)

Ctrl-C cancels.
)";

vidrt::CancelToken cancel_token;

void on_interrupt(int) { cancel_token.cancel(); }

// Writes under a temporary name, so that the file is whole or not there.
class VideoWriter {
 public:
  VideoWriter(std::string path, double fps)
      : path_(std::move(path)), temporary_(path_ + ".tmp"), fps_(fps), y4m_(is_y4m(path_)) {
    file_.open(temporary_, std::ios::binary);
    check();
  }
  ~VideoWriter() {
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);  // nothing is left of it after finish()
  }
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  void write(const vidrt::FramesEvent& event) {
    const std::size_t pixels = static_cast<std::size_t>(event.width) * static_cast<std::size_t>(event.height);
    if (!y4m_) {
      const std::size_t bytes = static_cast<std::size_t>(event.num_frames) * pixels * 3;
      file_.write(reinterpret_cast<const char*>(event.rgb), static_cast<std::streamsize>(bytes));
      return check();
    }
    if (event.first_frame == 0) {
      file_ << "YUV4MPEG2 W" << event.width << " H" << event.height << " F" << std::lround(fps_ * 1000.0)
            << ":1000 Ip A1:1 C444\n";
    }
    for (int frame = 0; frame < event.num_frames; ++frame) {
      to_planes(event.rgb + static_cast<std::size_t>(frame) * pixels * 3, pixels);
      file_ << "FRAME\n";
      file_.write(planes_.data(), static_cast<std::streamsize>(planes_.size()));
    }
    check();
  }

  void finish() {
    file_.close();
    check();
    std::filesystem::rename(temporary_, path_);
  }

 private:
  void check() const {
    if (!file_) throw std::runtime_error("cannot write " + path_ + "; is the folder there, and is there room?");
  }

  static bool is_y4m(const std::string& path) {
    const std::string suffix = std::filesystem::path(path).extension().string();
    if (suffix == ".y4m" || suffix == ".rgb") return suffix == ".y4m";
    throw std::invalid_argument("OUTPUT is '" + path + "'; expected a name that ends in .y4m or .rgb.");
  }

  static char to_byte(double value) {
    return static_cast<char>(static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)));
  }

  // BT.601, limited range: what readers of YUV4MPEG2 assume.
  void to_planes(const std::uint8_t* rgb, std::size_t pixels) {
    planes_.resize(3 * pixels);
    for (std::size_t i = 0; i < pixels; ++i) {
      const double r = rgb[i * 3], g = rgb[i * 3 + 1], b = rgb[i * 3 + 2];
      planes_[i] = to_byte(16.0 + 0.256788 * r + 0.504129 * g + 0.097906 * b);
      planes_[pixels + i] = to_byte(128.0 - 0.148223 * r - 0.290993 * g + 0.439216 * b);
      planes_[2 * pixels + i] = to_byte(128.0 + 0.439216 * r - 0.367788 * g - 0.071427 * b);
    }
  }

  std::string path_;
  std::string temporary_;
  double fps_;
  bool y4m_;
  std::ofstream file_;
  std::vector<char> planes_;
};

std::uint64_t parse_seed(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  try {
    if (digits) return std::stoull(text);
  } catch (const std::out_of_range&) {
    // Said below.
  }
  throw std::invalid_argument("SEED is '" + text + "'; expected a number from 0 to 2^64 - 1.");
}

void generate(const std::string& bundle, const std::string& prompt, const std::string& output, std::uint64_t seed) {
  vidrt::Pipeline pipeline = vidrt::Pipeline::open(bundle);
  vidrt::GenerateOptions options;
  options.prompt = prompt;
  options.seed = seed;
  options.keep_frames = false;

  VideoWriter writer(output, pipeline.bundle().manifest().defaults.fps);
  vidrt::Callbacks callbacks;
  callbacks.cancel = &cancel_token;
  callbacks.on_step = [](const vidrt::StepEvent& event) {
    std::cerr << "\rstep " << event.step + 1 << " of " << event.num_inference_steps << std::flush;
  };
  callbacks.on_frames = [&](const vidrt::FramesEvent& event) {
    writer.write(event);
    std::cerr << "\r" << event.first_frame + event.num_frames << " frames decoded" << std::flush;
  };
  callbacks.on_warning = [](const std::string& message) { std::cerr << "warning: " << message << "\n"; };

  const vidrt::Video video = pipeline.generate(options, callbacks);
  writer.finish();
  std::cerr << "\n";
  std::printf("%s: %d frames of %dx%d at %g fps, seed %llu, %.1f s on %s\n", output.c_str(), video.num_frames,
              video.width, video.height, video.fps, static_cast<unsigned long long>(video.metadata.seed),
              video.timings.total / 1000.0, video.metadata.backend.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << kHelp;
    return 0;
  }
  if (arguments.size() != 3 && arguments.size() != 4) {
    std::cerr << kHelp;
    return 2;
  }
  try {
    const std::uint64_t seed = arguments.size() == 4 ? parse_seed(arguments[3]) : 7;
    std::signal(SIGINT, on_interrupt);
    generate(arguments[0], arguments[1], arguments[2], seed);
    return 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "\nerror: " << error.what() << "\n";
    return 1;
  }
}
