// Every operation below is one IEEE 754 binary64 +, -, *, / or sqrt, rounded to nearest, in the order written: that is
// what makes the bits the same everywhere. The build turns contraction into fused multiply-adds off for this file.
#include "runtime/philox.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#if defined(__FAST_MATH__)
#error "runtime/philox.cpp must not be compiled with -ffast-math: it would change the initial latents."
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "double arithmetic must not be carried out in a wider type");

// log(1 + f) = 2 atanh(s) with s = f / (2 + f): 2/(2k+1), the odd terms of the series, k = 0..9.
constexpr std::array<double, 10> kLog = {
    0x1.0000000000000p+1, 0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492492p-2, 0x1.c71c71c71c71cp-3,
    0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3, 0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4, 0x1.af286bca1af28p-4};
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;

// sin and cos of a fraction t of a quarter turn: Taylor, (-1)^k (pi/2)^n / n!.
constexpr std::array<double, 9> kSin = {0x1.921fb54442d18p+0,  -0x1.4abbce625be53p-1,  0x1.466bc6775aae2p-4,
                                        -0x1.32d2cce62bd86p-8, 0x1.50783487ee782p-13,  -0x1.e3074fde8871fp-19,
                                        0x1.e8f434d018d63p-25, -0x1.6fadb9f155744p-31, 0x1.aaec32af93359p-38};
constexpr std::array<double, 9> kCos = {0x1.0000000000000p+0,  -0x1.3bd3cc9be45dep+0,  0x1.03c1f081b5ac4p-2,
                                        -0x1.55d3c7e3cbffap-6, 0x1.e1f506891babbp-11,  -0x1.a6d1f2a204a8cp-16,
                                        0x1.f9d38a3763cc3p-22, -0x1.b6e24f44b128fp-28, 0x1.20c62c2f2d7f5p-34};

template <std::size_t N>
double horner(const std::array<double, N>& coefficients, double x) {
  double sum = coefficients[N - 1];
  for (std::size_t k = N - 1; k-- > 0;) sum = sum * x + coefficients[k];
  return sum;
}

// log((bits + 1) / 2^32), from -32 ln 2 to 0.
double log_uniform(std::uint32_t bits) {
  int exponent = 0;
  double mantissa = std::frexp(static_cast<double>(bits) + 1.0, &exponent);  // exact, in [0.5, 1)
  if (mantissa < kSqrtHalf) {
    mantissa = mantissa * 2.0;
    exponent = exponent - 1;
  }
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  return static_cast<double>(exponent - 32) * kLn2 + s * horner(kLog, s * s);
}

// sin and cos of bits / 2^32 of a turn. The reduction to an eighth of a turn is exact, in integers.
void sincos_uniform(std::uint32_t bits, double* sine, double* cosine) {
  const std::uint32_t rounded = bits + 0x20000000U;  // wraps at a whole turn, as it should
  const std::uint32_t quadrant = rounded >> 30U;
  const double t = (static_cast<double>(rounded & 0x3fffffffU) - 0x1.0p+29) * 0x1.0p-30;  // in [-0.5, 0.5)
  const double s = t * horner(kSin, t * t);
  const double c = horner(kCos, t * t);
  const bool swapped = (quadrant & 1U) != 0;
  const double sine_size = swapped ? c : s;
  const double cosine_size = swapped ? s : c;
  *sine = quadrant >= 2 ? -sine_size : sine_size;
  *cosine = quadrant == 1 || quadrant == 2 ? -cosine_size : cosine_size;
}

// Box and Muller, "A note on the generation of random normal deviates", 1958.
void normal_pair(std::uint32_t first, std::uint32_t second, float* out) {
  const double radius = std::sqrt(-2.0 * log_uniform(first));
  double sine = 0.0;
  double cosine = 0.0;
  sincos_uniform(second, &sine, &cosine);
  out[0] = static_cast<float>(radius * cosine);
  out[1] = static_cast<float>(radius * sine);
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9U;  // the golden ratio
    key[1] += 0xBB67AE85U;  // sqrt(3) - 1
  }
  return counter;
}

void fill_standard_normal(std::uint64_t seed, std::int64_t count, float* out) {
  fill_standard_normal_range(seed, 0, count, out);
}

void fill_standard_normal_range(std::uint64_t seed, std::int64_t first, std::int64_t count, float* out,
                                std::uint32_t stream) {
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)};
  for (std::int64_t i = first; i < first + count;) {
    const std::uint64_t block = static_cast<std::uint64_t>(i) / 4;
    const auto words =
        philox4x32_10({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U), stream, 0}, key);
    std::array<float, 4> normals;
    normal_pair(words[0], words[1], normals.data());
    normal_pair(words[2], words[3], normals.data() + 2);
    const std::int64_t lane = i % 4;
    const std::int64_t taken = std::min<std::int64_t>(4 - lane, first + count - i);
    std::copy_n(normals.begin() + lane, taken, out + (i - first));
    i += taken;
  }
}

}  // namespace vidrt
