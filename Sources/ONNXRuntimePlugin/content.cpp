#include "content.hpp"

#include <cstring>
#include <stdexcept>

#include <unistd.h>

namespace {

/// Less than 2^56, so less than the prime: different words are different coefficients.
constexpr size_t word_size = 7;

__extension__ typedef unsigned __int128 Wide;

/// value * point + word modulo the prime, all three below it.
uint64_t next(uint64_t value, uint64_t point, uint64_t word) {
    const Wide sum = Wide(value) * point + word;
    // 2^61 is 1. The high part is below 2^61, so the result needs one subtraction at most.
    const uint64_t folded = (uint64_t(sum) & content::prime) + uint64_t(sum >> 61);
    return folded >= content::prime ? folded - content::prime : folded;
}

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
    uint64_t first = 0, second = 0;
    const auto add = [&](uint64_t word) {
        first = next(first, points.first, word);
        second = next(second, points.second, word);
    };
    size_t place = 0;
    for (; byte_count - place >= word_size; place += word_size) {
        uint64_t word = 0;
        std::memcpy(&word, bytes + place, word_size);
        add(word);
    }
    if (place < byte_count) {
        uint64_t word = 0;
        std::memcpy(&word, bytes + place, byte_count - place);
        add(word);
    }
    return {byte_count, first, second};
}

const content::Points &content::secret_points() {
    static const Points points{random_point(), random_point()};
    return points;
}
