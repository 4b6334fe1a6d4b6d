#include "content.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <unistd.h>

namespace {

/// Less than 2^56, so less than the prime: different words are different coefficients.
constexpr size_t word_size = 7;

__extension__ typedef unsigned __int128 Wide;

/// A number below 2^123 modulo the prime.
uint64_t reduced(Wide number) {
    // 2^61 is 1: the bits from there on are added to those below, until one subtraction is enough.
    const uint64_t once = (uint64_t(number) & content::prime) + uint64_t(number >> 61);
    const uint64_t twice = (once & content::prime) + (once >> 61);
    return twice >= content::prime ? twice - content::prime : twice;
}

uint64_t word_at(const unsigned char *bytes, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, size);
    return word;
}

/// The polynomial of the words so far at one point, from the highest coefficient on (Horner's rule).
class Polynomial {
public:
    explicit Polynomial(uint64_t point)
        : power1(point), power2(reduced(Wide(power1) * point)), power3(reduced(Wide(power2) * point)),
          power4(reduced(Wide(power3) * point)) {}

    void add(uint64_t word) { value = reduced(Wide(value) * power1 + word); }
    /// Four words in one step: files are read once for each node that has them.
    void add(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
        value = reduced(Wide(value) * power4 + Wide(a) * power3 + Wide(b) * power2 + Wide(c) * power1 + d);
    }

    uint64_t value = 0;

private:
    uint64_t power1, power2, power3, power4;
};

uint64_t random_point() {
    for (;;) {
        uint64_t number = 0;
        if (getentropy(&number, sizeof number) != 0) {
            throw std::runtime_error("multipoint: the system has no random numbers (getentropy)");
        }
        number &= content::prime;
        if (number != content::prime) return number;
    }
}

}  // namespace

content::Key content::key_of(const void *data, size_t byte_count, const Points &points) {
    const auto *bytes = static_cast<const unsigned char *>(data);
    Polynomial first(points.first), second(points.second);
    size_t place = 0;
    // One byte more than four words, so that each is read as eight bytes of which the last is dropped.
    for (; byte_count - place > 4 * word_size; place += 4 * word_size) {
        uint64_t words[4];
        for (size_t index = 0; index < 4; ++index) {
            words[index] = word_at(bytes + place + index * word_size, sizeof(uint64_t)) & (~uint64_t(0) >> 8);
        }
        first.add(words[0], words[1], words[2], words[3]);
        second.add(words[0], words[1], words[2], words[3]);
    }
    while (place < byte_count) {
        const size_t size = std::min(word_size, byte_count - place);
        const uint64_t word = word_at(bytes + place, size);
        first.add(word);
        second.add(word);
        place += size;
    }
    return {byte_count, first.value, second.value};
}

const content::Points &content::secret_points() {
    static const Points points{random_point(), random_point()};
    return points;
}
