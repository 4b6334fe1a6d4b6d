#include "content.hpp"
#include "library.hpp"

#include <map>
#include <mutex>

namespace {

/// The limits that a file was found to keep, and the file.
using Key = std::pair<std::tuple<uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>, content::Key>;

struct Shared {
    std::mutex mutex;
    std::map<Key, std::weak_ptr<multipoint_model>> models;
};

Shared &shared() {
    static Shared shared;
    return shared;
}

}  // namespace

library::Model library::shared_model(const void *data, size_t byte_count, const Settings &settings, const std::string &place) {
    const Key key{settings.of_the_model(), content::key_of(data, byte_count, content::secret_points())};
    auto &[mutex, models] = shared();
    // Held while a file is read: whoever wants the same one waits for it instead of reading it too.
    const std::lock_guard<std::mutex> lock(mutex);
    if (const auto found = models.find(key); found != models.end()) {
        if (Model model = found->second.lock()) return model;
        models.erase(found);
    }
    multipoint_model *opened = nullptr;
    const multipoint_model_options options = settings.model_options();
    check(multipoint_model_open_memory(data, byte_count, &options, &opened), place);
    Model model(opened, multipoint_model_destroy);
    for (auto other = models.begin(); other != models.end();) {
        other = other->second.expired() ? models.erase(other) : std::next(other);
    }
    models.emplace(key, model);
    return model;
}
