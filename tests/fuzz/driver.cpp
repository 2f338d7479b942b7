// Runs a fuzz target (LLVMFuzzerTestOneInput) over mutated seeds with any compiler; a sanitizer is what finds the
// fault.
//
//   NAME_fuzz --runs N --seed S CORPUS_FOLDER     run N inputs
//   NAME_fuzz FILE                                run one input again
//
// The input being run lies in NAME_fuzz.input in the working folder, so that a crash can be run again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

// Pieces that readers of JSON and of paths and sizes stumble over.
constexpr std::array<const char*, 20> kTokens = {"-1",
                                                 "0",
                                                 "1e999",
                                                 "9223372036854775807",
                                                 "18446744073709551616",
                                                 "null",
                                                 "true",
                                                 "[]",
                                                 "{}",
                                                 "\"\"",
                                                 "../",
                                                 "/etc/",
                                                 "\\u0000",
                                                 "NaN",
                                                 "\"schema_version\":99",
                                                 "[[",
                                                 "{\"a\":{",
                                                 "\xff",
                                                 "%s%n",
                                                 "0.1"};

Bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

class Mutator {
 public:
  Mutator(std::vector<Bytes> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  Bytes next() {
    Bytes input = seeds_[below(seeds_.size())];
    const std::size_t edits = 1 + below(6);
    for (std::size_t i = 0; i < edits; ++i) edit(input);
    return input;
  }

 private:
  // A number in [0, n); n >= 1.
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

  void edit(Bytes& input) {
    const std::size_t at = below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    const auto length = static_cast<std::ptrdiff_t>(std::min(input.size() - at, 1 + below(32)));
    switch (below(6)) {
      case 0:  // flip one bit
        if (at < input.size()) *place ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:  // cut a piece out
        input.erase(place, place + length);
        break;
      case 2: {  // say a piece twice
        const Bytes piece(place, place + length);
        input.insert(place, piece.begin(), piece.end());
        break;
      }
      case 3: {  // put a token over what stands there
        const std::string token = kTokens[below(kTokens.size())];
        input.erase(place, place + length);
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), token.begin(), token.end());
        break;
      }
      case 4:  // cut the end off
        input.resize(at);
        break;
      default: {  // go on with another seed
        const Bytes& other = seeds_[below(seeds_.size())];
        input.resize(at);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(std::min(at, other.size())), other.end());
      }
    }
  }

  std::vector<Bytes> seeds_;
  std::mt19937_64 random_;
};

std::vector<Bytes> read_corpus(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // the folder's own order differs between machines
  std::vector<Bytes> seeds;
  for (const auto& path : paths) seeds.push_back(read_file(path));
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1) {
    const Bytes input = read_file(arguments[0]);
    return LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  if (arguments.size() != 5 || arguments[0] != "--runs" || arguments[2] != "--seed") {
    std::cerr << "usage: " << argv[0] << " --runs N --seed S CORPUS_FOLDER | FILE\n";
    return 2;
  }
  const std::vector<Bytes> seeds = read_corpus(arguments[4]);
  if (seeds.empty()) {
    std::cerr << argv[0] << ": no seed in " << arguments[4] << '\n';
    return 2;
  }
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  const std::string saved = fs::path(argv[0]).filename().string() + ".input";
  const std::uint64_t runs = std::stoull(arguments[1]);
  Mutator mutator(seeds, std::stoull(arguments[3]));
  for (std::uint64_t run = 0; run < runs; ++run) {
    const Bytes input = mutator.next();
    std::ofstream(saved, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  fs::remove(saved);
  std::cout << fs::path(argv[0]).filename().string() << ": " << runs << " inputs from " << seeds.size()
            << " seeds, no fault\n";
  return 0;
}
