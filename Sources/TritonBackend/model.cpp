#include "model.hpp"

#include "failure.hpp"

namespace multipoint_triton {
namespace {

constexpr std::uint32_t configuration_version = 1;

struct DeleteMessage {
    void operator()(TRITONSERVER_Message *message) const noexcept { log_failure(TRITONSERVER_MessageDelete(message)); }
};
using Message = std::unique_ptr<TRITONSERVER_Message, DeleteMessage>;

std::string_view json_of(TRITONSERVER_Message *message) {
    const char *text = nullptr;
    std::size_t length = 0;
    check(TRITONSERVER_MessageSerializeToJson(message, &text, &length));
    return text == nullptr ? std::string_view() : std::string_view(text, length);
}

Configuration configuration_of(TRITONBACKEND_Model *model) {
    TRITONSERVER_Message *message = nullptr;
    check(TRITONBACKEND_ModelConfig(model, configuration_version, &message));
    const Message owned(message);
    return Configuration(json_of(message));
}

void set_configuration(TRITONBACKEND_Model *model, const Configuration &configuration) {
    const auto json = configuration.text();
    TRITONSERVER_Message *message = nullptr;
    check(TRITONSERVER_MessageNewFromSerializedJson(&message, json.data(), json.size()));
    const Message owned(message);
    check(TRITONBACKEND_ModelSetConfig(model, configuration_version, message));
}

std::int64_t default_maximum_batch_of(TRITONBACKEND_Model *model) {
    TRITONBACKEND_Backend *backend = nullptr;
    check(TRITONBACKEND_ModelBackend(model, &backend));
    TRITONSERVER_Message *message = nullptr; // the server's
    check(TRITONBACKEND_BackendConfig(backend, &message));
    return default_maximum_batch(json_of(message));
}

std::string title_of(TRITONBACKEND_Model *model, std::uint64_t version) {
    const char *name = nullptr;
    check(TRITONBACKEND_ModelName(model, &name));
    return std::string("model `") + name + "` version " + std::to_string(version);
}

std::string version_folder(TRITONBACKEND_Model *model, std::uint64_t version) {
    TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
    const char *location = nullptr;
    check(TRITONBACKEND_ModelRepository(model, &type, &location));
    if (type != TRITONBACKEND_ARTIFACT_FILESYSTEM) {
        throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "the model repository is not in a file system");
    }
    return std::string(location) + "/" + std::to_string(version);
}

/// The library's remarks on a file go to the server's log.
void log_remark(void *, multipoint_log_level level, const char *message) {
    log(level == MULTIPOINT_LOG_WARNING ? TRITONSERVER_LOG_WARN : TRITONSERVER_LOG_VERBOSE, message);
}

/// `options` has limits.
std::unique_ptr<multipoint_model, Destroy> open(
    const std::string &path, multipoint_model_options options, const std::string &title) {
    options.log = log_remark;
    multipoint_model *model = nullptr;
    check(multipoint_model_open(path.c_str(), &options, &model), title);
    return std::unique_ptr<multipoint_model, Destroy>(model);
}

} // namespace

Model::Model(TRITONBACKEND_Model *model) {
    std::uint64_t version = 0;
    check(TRITONBACKEND_ModelVersion(model, &version));
    title_ = title_of(model, version);
    auto configuration = configuration_of(model);
    const auto default_batch = default_maximum_batch_of(model);

    weights_ = open(version_folder(model, version) + "/" + configuration.file_name(), configuration.limits(), title_);
    network_ = describe(weights_.get());

    try {
        bool completes = false;
        check(TRITONBACKEND_ModelAutoCompleteConfig(model, &completes));
        if (completes) {
            configuration.complete(network_, default_batch);
            set_configuration(model, configuration);
            configuration = configuration_of(model); // the server may have added to it
        }
        settings_ = configuration.check(network_, default_batch);
    } catch (const Failure &failure) {
        throw Failure(failure.code(), title_ + ": " + failure.what());
    }
    const auto message = title_ + ": " + std::to_string(multipoint_model_layer_count(weights_.get())) + " layers, batches up to " +
                         std::to_string(settings_.maximum_batch) + "; " + multipoint_build_info();
    log(TRITONSERVER_LOG_INFO, message.c_str());
}

} // namespace multipoint_triton
