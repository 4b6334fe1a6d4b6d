// One version of one model: its weights, loaded once, and what the configuration says about running it.
#pragma once

#include "configuration.hpp"
#include "network.hpp"
#include "triton.hpp"

#include <memory>
#include <string>

namespace multipoint_triton {

class Model {
public:
    /// Opens the packed file of the server's model, completes its configuration if the server wants that, and checks it.
    explicit Model(TRITONBACKEND_Model *model);

    const Network &network() const { return network_; }
    const Settings &settings() const { return settings_; }
    /// Shared by all instances' sessions.
    const multipoint_model *weights() const { return weights_.get(); }
    /// "model `digits` version 1"
    const std::string &title() const { return title_; }

private:
    std::string title_;
    std::unique_ptr<multipoint_model, Destroy> weights_;
    Network network_;
    Settings settings_;
};

} // namespace multipoint_triton
