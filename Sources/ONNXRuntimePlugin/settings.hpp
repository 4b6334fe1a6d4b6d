// What a session's configuration says to this library.
#pragma once

#include "ort_api.hpp"

#include <multipoint.h>

#include <cstdint>
#include <tuple>

struct Settings {
    /// Of one run; 0 is what OpenMP would use.
    uint64_t threads = 0;
    /// Limits of what a packed file may ask for, as in multipoint_model_options and multipoint_session_options. 0 is the default.
    uint64_t maximum_file_bytes = 0, maximum_tensors = 0, maximum_nodes = 0, maximum_elements = 0, maximum_weight_bytes = 0;
    uint64_t maximum_run_bytes = 0, maximum_work = 0;

    auto of_the_model() const {
        return std::tie(maximum_file_bytes, maximum_tensors, maximum_nodes, maximum_elements, maximum_weight_bytes);
    }
    bool operator<(const Settings &other) const {
        const auto rest = [](const Settings &each) { return std::tie(each.threads, each.maximum_run_bytes, each.maximum_work); };
        return std::tuple_cat(of_the_model(), rest(*this)) < std::tuple_cat(other.of_the_model(), rest(other));
    }

    int thread_count() const { return static_cast<int>(threads); }
    multipoint_model_options model_options() const;
    multipoint_session_options session_options(int64_t maximum_batch) const;
};

/// Reads the entries `multipoint.threads`, `multipoint.maximum_nodes` and so on, named as the fields.
/// - Throws: `InvalidArgument` naming the entry.
Settings settings_of(const ort::Api &api, const ort::SessionOptions *options);
