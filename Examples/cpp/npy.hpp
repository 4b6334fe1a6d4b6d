// Reads the arrays that numpy.save writes: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

template <typename Element>
struct Array {
    std::vector<std::int64_t> shape;
    std::vector<Element> elements;
};

/// The little-endian, C-ordered array in `path`. `type` is NumPy's name of the element type, such as "|u1" or "<i8".
template <typename Element>
Array<Element> read_npy(const std::string &path, const std::string &type) {
    const auto fail = [&](const std::string &problem) { return std::runtime_error(path + ": " + problem); };
    std::ifstream file(path, std::ios::binary);
    if (!file) throw fail("cannot be opened");
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) throw fail("not an .npy file");

    // Magic, version, and the header's length: 2 bytes in version 1, 4 in later ones.
    const std::size_t length_size = bytes[6] == 1 ? 2 : 4, header_start = 8 + length_size;
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_size && 8 + i < bytes.size(); ++i) {
        length |= std::size_t(static_cast<unsigned char>(bytes[8 + i])) << (8 * i);
    }
    if (bytes.size() < header_start || bytes.size() - header_start < length) throw fail("truncated");

    // A Python dictionary: {'descr': '|u1', 'fortran_order': False, 'shape': (450, 8, 8, 1), }
    const std::string header = bytes.substr(header_start, length);
    if (header.find("'" + type + "'") == std::string::npos) throw fail("element type " + type + " expected: " + header);
    if (header.find("'fortran_order': False") == std::string::npos) throw fail("C order expected: " + header);
    const std::size_t open = header.find('('), close = header.find(')');
    if (open == std::string::npos || close == std::string::npos) throw fail("no shape: " + header);
    Array<Element> array;
    std::size_t count = 1;
    for (std::size_t i = open + 1; i < close;) {
        const std::size_t end = header.find_first_of(",)", i);
        if (header.find_first_of("0123456789", i) < end) {
            array.shape.push_back(std::stoll(header.substr(i, end - i)));
            if (__builtin_mul_overflow(count, std::size_t(array.shape.back()), &count)) throw fail("too large: " + header);
        }
        i = end + 1;
    }
    const std::size_t data_size = bytes.size() - header_start - length;
    if (data_size % sizeof(Element) != 0 || data_size / sizeof(Element) != count) throw fail("its size contradicts its shape");
    array.elements.resize(count);
    if (count > 0) std::memcpy(array.elements.data(), bytes.data() + header_start + length, data_size);
    return array;
}
