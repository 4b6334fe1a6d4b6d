// Runs an image classifier that has multipoint nodes in ONNX Runtime, and prints how many images it gets right.
//
//     cmake -S Examples/onnxruntime -B build/example -DONNXRUNTIME=/where/onnxruntime/was/unpacked
//     cmake --build build/example
//     build/example/classify images.npy labels.npy 0.0625 /usr/local/lib/libmultipoint_ort.so digits.onnx
//
// Images: uint8 [count, height, width, channels]; labels: int64 [count]. The number is the scale: a pixel's value is scale * stored.

#include "../cpp/npy.hpp"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// Channels first, as ONNX has them.
std::vector<float> prepared(const Array<std::uint8_t> &images, float scale) {
    const std::int64_t area = images.shape[1] * images.shape[2], channels = images.shape[3];
    std::vector<float> pixels;
    pixels.reserve(images.elements.size());
    for (std::int64_t image = 0; image < images.shape[0]; ++image) {
        for (std::int64_t channel = 0; channel < channels; ++channel) {
            for (std::int64_t place = 0; place < area; ++place) {
                pixels.push_back(scale * images.elements[std::size_t((image * area + place) * channels + channel)]);
            }
        }
    }
    return pixels;
}

Ort::SessionOptions session_options(const char *library) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);                  // of ONNX Runtime's own nodes
    options.AddConfigEntry("multipoint.threads", "1"); // before the library, which reads it
    options.RegisterCustomOpsLibrary(library);
    return options;
}

} // namespace

int main(int argument_count, char **arguments) {
    if (argument_count != 6) {
        std::fprintf(stderr, "usage: %s IMAGES.npy LABELS.npy SCALE libmultipoint_ort.so NETWORK.onnx\n", arguments[0]);
        return 2;
    }
    try {
        const auto images = read_npy<std::uint8_t>(arguments[1], "|u1");
        const auto labels = read_npy<std::int64_t>(arguments[2], "<i8").elements;
        if (images.shape.size() != 4 || images.shape[0] == 0 || labels.size() != std::size_t(images.shape[0])) {
            throw std::runtime_error("images of [count, height, width, channels], at least one, and as many labels expected");
        }
        std::vector<float> pixels = prepared(images, std::strtof(arguments[3], nullptr));

        Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "classify");
        Ort::Session session(env, arguments[5], session_options(arguments[4]));
        Ort::AllocatorWithDefaultOptions allocator;
        const auto input_name = session.GetInputNameAllocated(0, allocator), output_name = session.GetOutputNameAllocated(0, allocator);
        const char *const input_names[] = {input_name.get()};
        const char *const output_names[] = {output_name.get()};

        const std::int64_t shape[] = {images.shape[0], images.shape[3], images.shape[1], images.shape[2]};
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        const Ort::Value input = Ort::Value::CreateTensor<float>(memory, pixels.data(), pixels.size(), shape, 4);
        const std::vector<Ort::Value> outputs = session.Run(Ort::RunOptions{nullptr}, input_names, &input, 1, output_names, 1);

        const float *scores = outputs[0].GetTensorData<float>();
        const std::size_t classes = outputs[0].GetTensorTypeAndShapeInfo().GetElementCount() / labels.size();
        std::size_t correct = 0;
        for (std::size_t image = 0; image < labels.size(); ++image) {
            const float *first = scores + image * classes;
            correct += std::max_element(first, first + classes) - first == labels[image];
        }
        std::printf("top-1: %.2f %% (%zu of %zu)\n", 100.0 * double(correct) / double(labels.size()), correct, labels.size());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
