#include "settings.hpp"

#include "host.hpp"

#include <charconv>
#include <limits>
#include <string>

namespace {

constexpr uint64_t most_threads = 1024, unlimited = std::numeric_limits<uint64_t>::max();

struct Entry {
    const char *key;
    uint64_t Settings::*field;
    uint64_t most;
};
constexpr Entry entries[] = {
    {"multipoint.threads", &Settings::threads, most_threads},
    {"multipoint.maximum_file_bytes", &Settings::maximum_file_bytes, unlimited},
    {"multipoint.maximum_tensors", &Settings::maximum_tensors, unlimited},
    {"multipoint.maximum_nodes", &Settings::maximum_nodes, unlimited},
    {"multipoint.maximum_elements", &Settings::maximum_elements, unlimited},
    {"multipoint.maximum_weight_bytes", &Settings::maximum_weight_bytes, unlimited},
    {"multipoint.maximum_run_bytes", &Settings::maximum_run_bytes, unlimited},
    {"multipoint.maximum_work", &Settings::maximum_work, unlimited},
};

std::string text_of(const ort::Api &api, const ort::SessionOptions *options, const char *key) {
    size_t size = 0; // with the terminating zero
    host::check(api.call<ort::GetSessionConfigEntry>(options, key, static_cast<char *>(nullptr), &size));
    std::string text(size, '\0');
    host::check(api.call<ort::GetSessionConfigEntry>(options, key, text.data(), &size));
    if (!text.empty()) text.pop_back();
    return text;
}

/// 0 without an entry.
uint64_t number_of(const ort::Api &api, const ort::SessionOptions *options, const Entry &entry) {
    int has = 0;
    host::check(api.call<ort::HasSessionConfigEntry>(options, entry.key, &has));
    if (has == 0) return 0;
    const std::string text = text_of(api, options, entry.key);
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number <= entry.most) return number;
    throw host::InvalidArgument(
        std::string("multipoint: the session's configuration has ") + entry.key + " = `" + text + "`; a number from 0 to "
        + std::to_string(entry.most) + " is expected");
}

}  // namespace

Settings settings_of(const ort::Api &api, const ort::SessionOptions *options) {
    Settings settings;
    for (const Entry &entry : entries) settings.*entry.field = number_of(api, options, entry);
    return settings;
}

multipoint_model_options Settings::model_options() const {
    multipoint_model_options options{};
    options.struct_size = sizeof options;
    options.maximum_file_bytes = maximum_file_bytes;
    options.maximum_tensors = maximum_tensors;
    options.maximum_nodes = maximum_nodes;
    options.maximum_elements = maximum_elements;
    options.maximum_weight_bytes = maximum_weight_bytes;
    return options;
}

multipoint_session_options Settings::session_options(int64_t maximum_batch) const {
    multipoint_session_options options{};
    options.struct_size = sizeof options;
    options.maximum_batch = maximum_batch;
    options.threads = thread_count();
    options.maximum_run_bytes = maximum_run_bytes;
    options.maximum_work = maximum_work;
    return options;
}
