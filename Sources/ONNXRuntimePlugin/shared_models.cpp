#include "content.hpp"
#include "library.hpp"

#include <map>
#include <mutex>

namespace {

struct Shared {
    std::mutex mutex;
    std::map<content::Key, std::weak_ptr<multipoint_model>> models;
};

Shared &shared() {
    static Shared shared;
    return shared;
}

}  // namespace

library::Model library::shared_model(const void *data, size_t byte_count, const std::string &place) {
    const content::Key key = content::key_of(data, byte_count, content::secret_points());
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
