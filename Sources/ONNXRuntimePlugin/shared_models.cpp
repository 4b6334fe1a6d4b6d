#include "library.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

namespace {

/// A file by its size and 128 bits of its content.
using Key = std::tuple<size_t, uint64_t, uint64_t>;

uint64_t mixed(uint64_t state, uint64_t word) {
    state = (state ^ word) * 0x9E3779B97F4A7C15u;
    return state ^ (state >> 29);
}

Key key_of(const void *data, size_t byte_count) {
    const auto *bytes = static_cast<const unsigned char *>(data);
    // Four lanes, so that one multiplication need not wait for the one before.
    uint64_t lanes[4] = {1, 2, 3, 4};
    size_t place = 0;
    for (; place + sizeof lanes <= byte_count; place += sizeof lanes) {
        uint64_t words[4];
        std::memcpy(words, bytes + place, sizeof words);
        for (int lane = 0; lane < 4; ++lane) lanes[lane] = mixed(lanes[lane], words[lane]);
    }
    uint64_t rest[4] = {};
    std::memcpy(rest, bytes + place, byte_count - place);
    for (int lane = 0; lane < 4; ++lane) lanes[lane] = mixed(lanes[lane], rest[lane]);
    return {byte_count, mixed(mixed(lanes[0], lanes[1]), lanes[2]), mixed(mixed(lanes[3], lanes[2]), lanes[1])};
}

struct Shared {
    std::mutex mutex;
    std::map<Key, std::weak_ptr<multipoint_model>> models;
};

Shared &shared() {
    static Shared shared;
    return shared;
}

}  // namespace

library::Model library::shared_model(const void *data, size_t byte_count, const std::string &place) {
    const Key key = key_of(data, byte_count);
    auto &[mutex, models] = shared();
    // Held while a file is read: whoever wants the same one waits for it instead of reading it too.
    const std::lock_guard<std::mutex> lock(mutex);
    if (const auto found = models.find(key); found != models.end()) {
        if (Model model = found->second.lock()) return model;
        models.erase(found);
    }
    multipoint_model *opened = nullptr;
    check(multipoint_model_open_memory(data, byte_count, nullptr, &opened), place);
    Model model(opened, multipoint_model_destroy);
    for (auto other = models.begin(); other != models.end();) {
        other = other->second.expired() ? models.erase(other) : std::next(other);
    }
    models.emplace(key, model);
    return model;
}
