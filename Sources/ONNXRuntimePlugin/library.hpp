// libmultipoint's handles with owners, and its errors as exceptions.
#pragma once

#include "host.hpp"
#include "settings.hpp"

#include <multipoint.h>

#include <memory>
#include <string>

namespace library {

/// Throws with the library's own words, in front of them what the caller was doing.
inline void check(multipoint_status status, const std::string &place) {
    if (status == MULTIPOINT_OK) return;
    const std::string text = place + ": " + multipoint_last_error();
    if (status == MULTIPOINT_OUT_OF_MEMORY) throw std::bad_alloc();
    // A model or batch that is too large is the caller's, too.
    if (status == MULTIPOINT_INVALID_ARGUMENT || status == MULTIPOINT_LIMIT_EXCEEDED) throw host::InvalidArgument(text);
    throw std::runtime_error(text);
}

struct Destroy {
    void operator()(multipoint_session *session) const { multipoint_session_destroy(session); }
    void operator()(multipoint_layer *layer) const { multipoint_layer_destroy(layer); }
};
using Session = std::unique_ptr<multipoint_session, Destroy>;
using Layer = std::unique_ptr<multipoint_layer, Destroy>;
/// Shared by the nodes and sessions that have the same packed file.
using Model = std::shared_ptr<multipoint_model>;
/// Shared by the calls that are running it; a node may forget it meanwhile.
using Plan = std::shared_ptr<multipoint_plan>;

/// The model of a packed file in memory, which is not needed after the call. The same content under the same limits gives the same
/// model for as long as somebody holds it, so that the nodes of a graph, and sessions of one process, share its weights. Any thread.
Model shared_model(const void *data, size_t byte_count, const Settings &settings, const std::string &place);

}  // namespace library
