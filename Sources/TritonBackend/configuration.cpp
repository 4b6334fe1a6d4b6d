#include "configuration.hpp"

#include "failure.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

namespace multipoint_triton {
namespace {

constexpr auto largest_batch = std::numeric_limits<std::int32_t>::max();

// ---- Reading JSON ----

Json parsed(std::string_view text, const char *what) {
    auto result = Json::parse(text);
    if (!result || !result->is_object()) refuse(std::string(what) + ": the server's JSON cannot be read");
    return std::move(*result);
}

std::string string_member(const Json &object, const char *key) {
    const auto *text = object[key].string();
    return text == nullptr ? std::string() : *text;
}

/// A whole number, written as a number or, as protocol buffers write 64-bit ones, as a string.
template <class Number = std::int64_t>
std::optional<Number> whole_number(const Json &value) {
    static_assert(sizeof(Number) == sizeof(std::int64_t));
    if (const auto *number = value.integer()) {
        if (std::is_unsigned_v<Number> && *number < 0) return std::nullopt;
        return static_cast<Number>(*number);
    }
    const auto *text = value.string();
    if (text == nullptr) return std::nullopt;
    Number number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return number;
}

/// The elements of a list; none of anything else.
const Json::Array &elements(const Json &list) {
    static const Json::Array none;
    return list.array() == nullptr ? none : *list.array();
}

bool is_named(const Json &entry, const std::string &name) { return string_member(entry, "name") == name; }

Shape shape_of(const Json &list, const std::string &what) {
    Shape shape;
    if (!list.is_null() && list.array() == nullptr) refuse(what + ": a list of numbers is expected, found " + list.text());
    for (const auto &entry : elements(list)) {
        const auto size = whole_number(entry);
        if (!size) refuse(what + ": a list of numbers is expected, found " + list.text());
        shape.push_back(*size);
    }
    return shape;
}

// ---- The configuration's own terms ----

std::int64_t max_batch_size(const Json &configuration) { return whole_number(configuration["max_batch_size"]).value_or(0); }

/// `parameters { key: "..." value: { string_value: "..." } }`, a whole number within limits.
template <class Number>
std::optional<Number> parameter(const Json &configuration, const char *key, Number lowest, Number highest) {
    const Json &entry = configuration["parameters"][key];
    if (entry.is_null()) return std::nullopt;
    const Json &value = entry["string_value"];
    const auto number = whole_number<Number>(value);
    if (!number || *number < lowest || *number > highest) {
        refuse(std::string("parameter `") + key + "`: a whole number from " + std::to_string(lowest) + " to " +
               std::to_string(highest) + " is expected, found " + value.text());
    }
    return number;
}

std::optional<std::int64_t> maximum_batch_parameter(const Json &configuration) {
    return parameter<std::int64_t>(configuration, "maximum_batch", 1, largest_batch);
}

struct ModelLimit {
    const char *key;
    std::uint64_t multipoint_model_options::*field;
};
constexpr ModelLimit model_limits[] = {
    {"maximum_file_bytes", &multipoint_model_options::maximum_file_bytes},
    {"maximum_tensors", &multipoint_model_options::maximum_tensors},
    {"maximum_nodes", &multipoint_model_options::maximum_nodes},
    {"maximum_elements", &multipoint_model_options::maximum_elements},
    {"maximum_weight_bytes", &multipoint_model_options::maximum_weight_bytes},
};
constexpr const char *run_bytes_key = "maximum_run_bytes", *work_key = "maximum_work";

/// A limit of the library's: 0 is its default.
std::uint64_t limit(const Json &configuration, const char *key) {
    return parameter<std::uint64_t>(configuration, key, 0, std::numeric_limits<std::uint64_t>::max()).value_or(0);
}

const Value *find(const std::vector<Value> &values, const std::string &name) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Value &value) { return value.name == name; });
    return found == values.end() ? nullptr : &*found;
}

std::string names(const std::vector<Value> &values) {
    std::string result;
    for (const auto &value : values) result += (result.empty() ? "`" : ", `") + value.name + "`";
    return result;
}

/// What the server hands over and expects: the dims, or what they are reshaped to.
Shape configured_shape(const Json &entry, const std::string &what) {
    const Json &reshape = entry["reshape"];
    if (reshape.is_object()) return shape_of(reshape["shape"], what + ": reshape");
    return shape_of(entry["dims"], what + ": dims");
}

/// The value's shape without the batch that the server adds in front where max_batch_size is not 0.
Shape expected_shape(const Value &value, bool batched) { return Shape(value.shape.begin() + (batched ? 1 : 0), value.shape.end()); }

// ---- Completing ----

Json list_of(const Shape &shape) {
    Json::Array list;
    for (const auto size : shape) list.emplace_back(size);
    return Json(std::move(list));
}

void fill(Json &entry, const Value &value, bool batched) {
    const auto type = string_member(entry, "data_type");
    if (type.empty() || type == "TYPE_INVALID") entry.at("data_type") = "TYPE_FP32";
    if (!elements(entry["dims"]).empty()) return;
    const auto shape = expected_shape(value, batched);
    // The server has no tensors without dimensions: it is told of one element.
    entry.at("dims") = list_of(shape.empty() ? Shape{1} : shape);
    if (shape.empty()) entry.at("reshape").at("shape") = Json::Array();
}

/// Completes the entries of `input` or `output`; adds those that are not there if there is none, or if all of them are needed.
void complete_values(Json &configuration, const char *key, const std::vector<Value> &values, bool batched, bool all) {
    Json &list = configuration.at(key);
    if (list.array() == nullptr) list = Json::Array();
    Json::Array &entries = *list.array();
    const bool adds = all || entries.empty();
    for (auto &entry : entries) {
        const Value *value = find(values, string_member(entry, "name"));
        if (value != nullptr) fill(entry, *value, batched);
    }
    if (!adds) return;
    for (const auto &value : values) {
        if (std::any_of(entries.begin(), entries.end(), [&](const Json &entry) { return is_named(entry, value.name); })) continue;
        Json entry;
        entry.at("name") = value.name;
        fill(entry, value, batched);
        entries.push_back(std::move(entry));
    }
}

/// Whether the operator has written an input's dims with the batch among them: then the server is not to add one.
bool gives_batch(const Json &configuration, const Network &network) {
    for (const auto &entry : elements(configuration["input"])) {
        const Value *value = find(network.inputs, string_member(entry, "name"));
        if (value != nullptr && configured_shape(entry, "input").size() == value->shape.size()) return true;
    }
    return false;
}

// ---- Checking ----

void check_shape(const Json &entry, const Value &value, bool batched, const std::string &what) {
    const auto expected = expected_shape(value, batched), found = configured_shape(entry, what);
    bool same = expected.size() == found.size(), wider = false;
    for (std::size_t axis = 0; same && axis < found.size(); ++axis) {
        // Where the network leaves the batch open, the operator may fix it. Where the network says a number, -1 lets the server
        // take requests that this backend then refuses one by one.
        same = expected[axis] < 0 ? found[axis] == -1 || found[axis] >= 1 : found[axis] == -1 || found[axis] == expected[axis];
        wider = wider || (expected[axis] >= 0 && found[axis] == -1);
    }
    if (!same) {
        refuse(what + ": dims " + text(expected) + " are expected" + (batched ? ", without the batch, " : " ") +
               "as in the packed file, found " + text(found));
    }
    if (wider) {
        const auto message = what + ": dims " + text(found) + " are wider than the network's " + text(expected) +
                             "; requests of another shape get an error";
        log(TRITONSERVER_LOG_WARN, message.c_str());
    }
}

void check_values(const Json &configuration, const char *key, const std::vector<Value> &values, bool batched) {
    for (const auto &entry : elements(configuration[key])) {
        const auto name = string_member(entry, "name"), what = std::string(key) + " `" + name + "`";
        const Value *value = find(values, name);
        if (value == nullptr) refuse(what + ": the network has no such " + key + "; it has " + names(values));
        const auto type = string_member(entry, "data_type");
        if (type != "TYPE_FP32") refuse(what + ": data_type TYPE_FP32 is expected, found " + (type.empty() ? "none" : type));
        check_shape(entry, *value, batched, what);
    }
}

void check_all_inputs(const Json &configuration, const std::vector<Value> &inputs) {
    const auto &entries = elements(configuration["input"]);
    for (const auto &value : inputs) {
        if (std::none_of(entries.begin(), entries.end(), [&](const Json &entry) { return is_named(entry, value.name); })) {
            refuse("input `" + value.name + "`: the network needs it, and the configuration does not have it");
        }
    }
}

void check_batch(const Json &configuration, const Network &network) {
    const auto size = max_batch_size(configuration);
    if (size > 0 && !network.gathers) {
        refuse("max_batch_size: 0 is expected, because the network's batch is fixed or not in front (input `" +
               network.inputs.front().name + "` is " + text(network.inputs.front().shape) + "), found " + std::to_string(size));
    }
    const auto maximum = maximum_batch_parameter(configuration);
    if (size > 0 && maximum && *maximum != size) {
        refuse("parameter `maximum_batch`: " + std::to_string(size) + " is expected, as in max_batch_size, found " +
               std::to_string(*maximum) + "; one of them is enough");
    }
    if (!network.has_batch && maximum && *maximum != 1) {
        refuse("parameter `maximum_batch`: the network's batch is fixed, found " + std::to_string(*maximum));
    }
}

/// A batch that the dims fix, and the value whose dims do.
struct FixedBatch {
    std::int64_t size = 0; // 0: none do
    std::string by;
};

/// Where the server adds no batch: what stands in the dims where the network leaves it open. All inputs and outputs have to agree.
FixedBatch fixed_batch(const Json &configuration, const Network &network) {
    FixedBatch batch;
    const auto read = [&](const char *key, const std::vector<Value> &values, bool may_fix) {
        for (const auto &entry : elements(configuration[key])) {
            const auto name = string_member(entry, "name"), what = std::string(key) + " `" + name + "`";
            const Value *value = find(values, name);
            const auto found = configured_shape(entry, what);
            for (std::size_t axis = 0; value != nullptr && axis < std::min(found.size(), value->shape.size()); ++axis) {
                if (!value->has_batch_axis(axis) || found[axis] < 1 || found[axis] == batch.size) continue;
                if (batch.size != 0) {
                    refuse(what + ": a batch of " + std::to_string(batch.size) + " is expected in its dims, as in " + batch.by +
                           ", found " + text(found));
                }
                if (!may_fix) {
                    refuse(what + ": dims " + text(value->shape) + " are expected, because no input's dims fix the batch, found " +
                           text(found));
                }
                batch = {found[axis], what};
            }
        }
    };
    read("input", network.inputs, true);
    read("output", network.outputs, false);
    const auto maximum = maximum_batch_parameter(configuration);
    if (maximum && *maximum < batch.size) {
        refuse("parameter `maximum_batch`: at least " + std::to_string(batch.size) + " is expected, the batch in the dims of " +
               batch.by + ", found " + std::to_string(*maximum));
    }
    return batch;
}

void warn_of_unknown_parameters(const Json &configuration) {
    const auto *parameters = configuration["parameters"].object();
    if (parameters == nullptr) return;
    std::vector<std::string_view> known{"threads", "maximum_batch"};
    for (const auto &each : model_limits) known.push_back(each.key);
    known.insert(known.end(), {run_bytes_key, work_key});
    std::string names;
    for (const auto name : known) names += (names.empty() ? "`" : ", `") + std::string(name) + "`";
    for (const auto &entry : *parameters) {
        if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
        const auto message = "parameter `" + entry.key + "` is not known and has no effect; there are " + names;
        log(TRITONSERVER_LOG_WARN, message.c_str());
    }
}

} // namespace

Configuration::Configuration(std::string_view text) : json_(parsed(text, "model configuration")) {}

std::string Configuration::file_name() const {
    const auto name = string_member(json_, "default_model_filename");
    if (name.empty()) return "model.multipoint";
    // A configuration may come over the network: it names no file outside of the model's own folder.
    if (name.find('/') != std::string::npos || name == "." || name == "..") {
        refuse("default_model_filename: the name of a file in the version's folder is expected, found `" + name + "`");
    }
    return name;
}

multipoint_model_options Configuration::limits() const {
    multipoint_model_options options{};
    options.struct_size = sizeof options;
    for (const auto &each : model_limits) options.*each.field = limit(json_, each.key);
    return options;
}

void Configuration::complete(const Network &network, std::int64_t default_maximum_batch) {
    auto size = max_batch_size(json_);
    if (size == 0 && network.gathers && !gives_batch(json_, network)) {
        size = maximum_batch_parameter(json_).value_or(default_maximum_batch);
        json_.at("max_batch_size") = size;
    }
    const bool batched = size > 0 && network.gathers;
    complete_values(json_, "input", network.inputs, batched, true);
    complete_values(json_, "output", network.outputs, batched, false);
    const auto scheduled = [&](const char *scheduler) { return !json_[scheduler].is_null(); };
    if (size > 1 && !scheduled("dynamic_batching") && !scheduled("sequence_batching") && !scheduled("ensemble_scheduling")) {
        json_.at("dynamic_batching") = Json::Object();
    }
}

Settings Configuration::check(const Network &network, std::int64_t default_maximum_batch) const {
    check_batch(json_, network);
    const auto size = max_batch_size(json_);
    check_values(json_, "input", network.inputs, size > 0);
    check_all_inputs(json_, network.inputs);
    check_values(json_, "output", network.outputs, size > 0);
    warn_of_unknown_parameters(json_);

    Settings settings;
    settings.threads = static_cast<std::int32_t>(parameter<std::int64_t>(json_, "threads", 0, 1024).value_or(0));
    settings.maximum_run_bytes = limit(json_, run_bytes_key);
    settings.maximum_work = limit(json_, work_key);
    if (size > 0) {
        settings.maximum_batch = size;
    } else if (network.has_batch) {
        const auto fixed = fixed_batch(json_, network);
        settings.maximum_batch = fixed.size > 0 ? fixed.size : maximum_batch_parameter(json_).value_or(default_maximum_batch);
    }
    return settings;
}

std::int64_t default_maximum_batch(std::string_view backend_configuration) {
    if (backend_configuration.empty()) return 4;
    const Json configuration = parsed(backend_configuration, "backend configuration");
    const Json &given = configuration["cmdline"]["default-max-batch-size"];
    if (given.is_null()) return 4;
    const auto number = whole_number(given);
    if (!number || *number < 0 || *number > largest_batch) {
        refuse("--backend-config default-max-batch-size: a whole number is expected, found " + given.text());
    }
    return std::max<std::int64_t>(1, *number);
}

} // namespace multipoint_triton
