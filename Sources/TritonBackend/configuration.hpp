// A model's configuration (config.pbtxt, as the server gives it: JSON): completed from the network, and checked against it.
#pragma once

#include "json.hpp"
#include "network.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace multipoint_triton {

/// What the configuration asks of sessions.
struct Settings {
    /// Samples of the largest run.
    std::int64_t maximum_batch = 1;
    /// Threads of one run; 0: what OpenMP would use.
    std::int32_t threads = 0;
    /// Limits of what the network may ask for, as in multipoint_session_options.
    std::uint64_t maximum_run_bytes = 0;
    std::uint64_t maximum_work = 0;
};

class Configuration {
public:
    /// Parses the server's JSON.
    explicit Configuration(std::string_view text);

    /// The packed file's name within the version's folder.
    std::string file_name() const;

    /// The limits of what the packed file may ask for; nothing else is set.
    multipoint_model_options limits() const;

    /// Fills in what the operator left out: inputs, outputs, max_batch_size, and the dynamic batcher for batches above 1.
    void complete(const Network &network, std::int64_t default_maximum_batch);

    /// Checks what is given against the network. Warns of what is odd but works.
    Settings check(const Network &network, std::int64_t default_maximum_batch) const;

    /// For the server.
    std::string text() const { return json_.text(); }

private:
    Json json_;
};

/// `default-max-batch-size` of the server's --backend-config, from the backend's configuration as JSON; 4 where it does not say.
std::int64_t default_maximum_batch(std::string_view backend_configuration);

} // namespace multipoint_triton
