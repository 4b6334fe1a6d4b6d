// Runs packed networks over labelled images and prints how many they get right.
//
//     cmake -S Examples/cpp -B build/cpp-example -DCMAKE_PREFIX_PATH=/where/multipoint/is/installed
//     cmake --build build/cpp-example
//     build/cpp-example/classify images.npy labels.npy 0.0625 packed.multipoint ...
//
// Images: uint8 [count, height, width, channels]; labels: int64 [count]. The number is the scale: a pixel's value is scale * stored.

#include "npy.hpp"

#include <multipoint.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// Images as the network takes them: float, [count, channels, height, width] in the order of memory that the file has, channels
/// last.
struct Images {
    std::int64_t count, channels, height, width;
    std::vector<float> pixels;

    Images(const Array<std::uint8_t> &stored, float scale) : pixels(stored.elements.size()) {
        if (stored.shape.size() != 4) throw std::runtime_error("images of [count, height, width, channels] expected");
        count = stored.shape[0], height = stored.shape[1], width = stored.shape[2], channels = stored.shape[3];
        std::transform(stored.elements.begin(), stored.elements.end(), pixels.begin(), [=](std::uint8_t v) { return v * scale; });
    }

    std::int64_t size() const { return channels * height * width; }
};

/// The network's answers for images `first` to `first + batch`: [batch, classes].
void run(multipoint::Session &session, const Images &images, std::int64_t first, std::int64_t batch, std::int64_t classes,
         float *scores) {
    const multipoint::Span<const float> pixels(images.pixels.data() + first * images.size(), std::size_t(batch * images.size()));
    const multipoint::Span<float> result(scores, std::size_t(batch * classes));
    session.run(multipoint::Input(pixels, {batch, images.channels, images.height, images.width}, multipoint::Order::channels_last),
                multipoint::Output(result, {batch, classes}));
}

std::int64_t class_count(const multipoint::Model &model) {
    const auto outputs = model.outputs();
    if (outputs.size() != 1 || outputs[0].rank != 2 || outputs[0].dimensions[1] < 1) {
        throw std::runtime_error("a network with [N, classes] scores expected");
    }
    return outputs[0].dimensions[1];
}

/// Stored bits per weight over all layers, or 32 for a network in float.
double bits_per_weight(const multipoint::Model &model) {
    double bits = 0, weights = 0;
    for (const auto &layer : model.layers()) {
        const double count = double(layer.channels) * double(layer.row_length);
        bits += count * layer.bits_per_weight;
        weights += count;
    }
    return weights > 0 ? bits / weights : 0;
}

constexpr std::int64_t batch = 50;

void classify(const std::string &path, const Images &images, const std::vector<std::int64_t> &labels) {
    const multipoint::Model model(path);
    multipoint::Session session(model, batch);
    const std::int64_t classes = class_count(model);
    std::vector<float> scores(std::size_t(images.count * classes));

    const auto run_all = [&] {
        for (std::int64_t first = 0; first < images.count; first += batch) {
            run(session, images, first, std::min(batch, images.count - first), classes, scores.data() + first * classes);
        }
    };
    run_all(); // compiles the batch sizes that occur; the runs after it are timed
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    int rounds = 0;
    for (; Clock::now() - start < std::chrono::milliseconds(500); ++rounds) run_all();
    const std::chrono::duration<double, std::milli> duration = Clock::now() - start;

    std::int64_t correct = 0;
    for (std::int64_t i = 0; i < images.count; ++i) {
        const float *first = scores.data() + i * classes;
        correct += std::max_element(first, first + classes) - first == labels[std::size_t(i)];
    }
    std::printf("%-28s %9.2f %% %9.2f %12.4f\n", path.substr(path.find_last_of('/') + 1).c_str(), 100.0 * correct / images.count,
                bits_per_weight(model), duration.count() / (double(rounds) * double(images.count)));
}

} // namespace

int main(int argument_count, char **arguments) {
    if (argument_count < 5) {
        std::fprintf(stderr, "usage: %s IMAGES.npy LABELS.npy SCALE NETWORK.multipoint...\n", arguments[0]);
        return 2;
    }
    try {
        const Images images(read_npy<std::uint8_t>(arguments[1], "|u1"), std::strtof(arguments[3], nullptr));
        const auto labels = read_npy<std::int64_t>(arguments[2], "<i8").elements;
        if (images.count == 0 || labels.size() != std::size_t(images.count)) {
            throw std::runtime_error("as many labels as images expected, and at least one");
        }
        std::printf("%s\n%lld images in batches of %lld\n\n", multipoint::build_info(), (long long)images.count, (long long)batch);
        std::printf("%-28s %11s %9s %12s\n", "network", "top-1", "bits/w", "ms/image");
        for (int i = 4; i < argument_count; ++i) classify(arguments[i], images, labels);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
