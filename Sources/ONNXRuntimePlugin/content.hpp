// Which packed files are equal, without keeping them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>

namespace content {

/// The field of the polynomials: integers modulo the prime 2^61 - 1.
constexpr uint64_t prime = (uint64_t(1) << 61) - 1;

/// Where polynomials are evaluated: two numbers below `prime`.
struct Points {
    uint64_t first, second;
};

/// A content's size, and its polynomial at two points.
using Key = std::tuple<size_t, uint64_t, uint64_t>;

/// Content as a polynomial over the field: its coefficients are its words of 7 bytes (little-endian, the last filled up with
/// zeros), the first word's the highest. Two contents of one size and n words are two different polynomials of degree below n,
/// which agree at no more than n - 1 points: a point drawn at random, unknown to who made them, is one of those with a probability
/// below n / 2^61, and both are with one below (n / 2^61)^2, which is 2^-65 for files of 2 GiB. That holds for any two contents.
/// (Carter and Wegman, "Universal classes of hash functions", 1979.)
Key key_of(const void *data, size_t byte_count, const Points &points);

/// The points of this process: drawn from the kernel's random numbers at the first call, told nobody. Throws std::runtime_error
/// if there are none; the next call tries again.
const Points &secret_points();

}  // namespace content
