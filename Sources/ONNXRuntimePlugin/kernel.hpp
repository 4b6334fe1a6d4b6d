// What the operators have in common.
#pragma once

#include "host.hpp"
#include "library.hpp"
#include "settings.hpp"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

/// One node of a session. The runtime may run it on several threads at once.
struct Kernel {
    virtual ~Kernel() = default;
    virtual void compute(const host::Call &call) = 0;
};

/// What one call needs and the next may use again.
template <class Item>
class Pool {
public:
    /// An idle item, or a default one.
    Item take() {
        const std::lock_guard<std::mutex> lock(mutex);
        if (idle.empty()) return Item();
        Item item = std::move(idle.back());
        idle.pop_back();
        return item;
    }

    void give_back(Item &&item) {
        const std::lock_guard<std::mutex> lock(mutex);
        idle.push_back(std::move(item));
    }

private:
    std::mutex mutex;
    std::vector<Item> idle;
};

/// The packed file of a node: its attribute `file`, or else its constant input number `index`.
/// - Throws: `InvalidArgument` if it has neither.
library::Model packed_file(const host::Node &node, size_t index, const Settings &settings, const std::string &place);

/// Messages start with this: "multipoint: node `conv1`".
std::string place_of(const host::Node &node);

/// - Throws: `InvalidArgument` naming the input.
void require_float(const host::Tensor &tensor, const std::string &what);

std::unique_ptr<Kernel> make_network_kernel(const host::Node &node, const Settings &settings);
std::unique_ptr<Kernel> make_layer_kernel(const host::Node &node, multipoint_operator op, const Settings &settings);
