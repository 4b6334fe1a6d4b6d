// The keys by which the plugin tells files apart: the polynomials that content.hpp promises, other ones for other contents.

#include <content.hpp>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<unsigned char>;

int failures = 0;

void expect(bool holds, const std::string &what) {
    if (holds) return;
    ++failures;
    std::fprintf(stderr, "failed: %s\n", what.c_str());
}

Bytes random_bytes(size_t count, uint64_t seed) {
    Bytes bytes(count);
    for (unsigned char &byte : bytes) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<unsigned char>(seed >> 56);
    }
    return bytes;
}

/// By doubling and adding, a bit of `b` at a time, in numbers below 2^62.
uint64_t product(uint64_t a, uint64_t b) {
    uint64_t result = 0;
    for (int bit = 60; bit >= 0; --bit) {
        result = result * 2 % content::prime;
        if (b >> bit & 1) result = (result + a) % content::prime;
    }
    return result;
}

/// The sum of word times power, from the last word, whose power is 0, to the first.
uint64_t polynomial(const Bytes &bytes, uint64_t point) {
    uint64_t sum = 0, power = 1;
    for (size_t word = (bytes.size() + 6) / 7; word-- > 0;) {
        uint64_t coefficient = 0;
        for (size_t place = word * 7; place < bytes.size() && place < word * 7 + 7; ++place) {
            coefficient += uint64_t(bytes[place]) << (8 * (place - word * 7));
        }
        sum = (sum + product(coefficient, power)) % content::prime;
        power = product(power, point);
    }
    return sum;
}

content::Key key(const Bytes &bytes, const content::Points &points) { return content::key_of(bytes.data(), bytes.size(), points); }

void test_polynomials() {
    // 3 * 10 + 5 for the words 3 and 5.
    const Bytes two_words{3, 0, 0, 0, 0, 0, 0, 5};
    expect(key(two_words, {10, 0}) == content::Key(8, 35, 5), "two words by hand");
    const std::vector<content::Points> all_points{
        {0, 1}, {2, content::prime - 1}, {content::prime - 2, 0x0123456789ABCDEF}, content::secret_points()};
    for (const content::Points &points : all_points) {
        for (size_t count = 0; count < 70; ++count) {
            for (const Bytes &bytes : {random_bytes(count, count), Bytes(count, 0xFF)}) {
                const content::Key expected(count, polynomial(bytes, points.first), polynomial(bytes, points.second));
                expect(key(bytes, points) == expected, "the polynomials of " + std::to_string(count) + " bytes");
            }
        }
    }
}

void test_differences() {
    const auto &points = content::secret_points();
    expect(points.first < content::prime && points.second < content::prime, "points of the field");
    expect(points.first != points.second, "two points");
    expect(&points == &content::secret_points(), "the same points for the whole process");

    const Bytes bytes = random_bytes(1000, 7);
    std::set<content::Key> keys{key(bytes, points)};
    expect(keys.count(key(Bytes(bytes), points)) == 1, "a copy has the same key");
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Bytes other = bytes;
        other[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
        expect(keys.insert(key(other, points)).second, "bit " + std::to_string(bit) + " makes a difference");
    }
    // What cancels in hashes that multiply by a known number and shift: bit 63 of a word of 8 bytes, 63 and 34 four words later.
    for (size_t place = 0; place + 40 <= bytes.size(); place += 8) {
        Bytes other = bytes;
        other[place + 7] ^= 0x80;
        other[place + 39] ^= 0x80;
        other[place + 36] ^= 0x04;
        expect(keys.insert(key(other, points)).second, "two words at " + std::to_string(place) + " make a difference");
    }
    for (size_t count = 0; count < 30; ++count) {
        expect(keys.insert(key(Bytes(count), points)).second, std::to_string(count) + " zeros are no other number of zeros");
    }
}

}  // namespace

int main() {
    test_polynomials();
    test_differences();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
