#include "json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace multipoint_triton {
namespace {

constexpr std::size_t deepest = 64;

/// Puts values together in the order in which the parser finds them.
class Builder : public nlohmann::json_sax<nlohmann::json> {
public:
    bool null() override { return add(Json()); }
    bool boolean(bool value) override { return add(Json(value)); }
    bool number_integer(number_integer_t value) override { return add(Json(std::int64_t{value})); }
    bool number_unsigned(number_unsigned_t value) override {
        if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return add(Json(static_cast<double>(value)));
        return add(Json(static_cast<std::int64_t>(value)));
    }
    bool number_float(number_float_t value, const string_t &) override { return add(Json(double{value})); }
    bool string(string_t &value) override { return add(Json(std::move(value))); }
    bool binary(binary_t &) override { return false; }
    bool start_object(std::size_t) override { return open(Json(Json::Object())); }
    bool start_array(std::size_t) override { return open(Json(Json::Array())); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t &value) override {
        open_.back().object()->push_back({std::move(value), Json()});
        return true;
    }
    bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override { return false; }

    Json result;

private:
    bool add(Json value) {
        if (open_.empty()) {
            result = std::move(value);
        } else if (auto *object = open_.back().object()) {
            object->back().value = std::move(value);
        } else {
            open_.back().array()->push_back(std::move(value));
        }
        return true;
    }

    bool open(Json value) {
        if (open_.size() == deepest) return false;
        open_.push_back(std::move(value));
        return true;
    }

    bool close() {
        Json value = std::move(open_.back());
        open_.pop_back();
        return add(std::move(value));
    }

    std::vector<Json> open_;
};

/// A number or string as the parser's library writes it.
template <class Value>
std::string leaf(const Value &value) {
    return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct Writer {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(const Json::Array &array) const {
        std::string result;
        for (const auto &value : array) result += (result.empty() ? "[" : ",") + value.text();
        return result.empty() ? "[]" : result + "]";
    }
    std::string operator()(const Json::Object &object) const {
        std::string result;
        for (const auto &member : object) result += (result.empty() ? "{" : ",") + leaf(member.key) + ":" + member.value.text();
        return result.empty() ? "{}" : result + "}";
    }
    template <class Value>
    std::string operator()(const Value &value) const {
        return leaf(value);
    }
};

} // namespace

std::optional<Json> Json::parse(std::string_view text) {
    Builder builder;
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
    return std::move(builder.result);
}

const Json &Json::operator[](std::string_view key) const {
    static const Json none;
    if (const auto *members = object()) {
        const auto found = std::find_if(members->begin(), members->end(), [&](const Member &member) { return member.key == key; });
        if (found != members->end()) return found->value;
    }
    return none;
}

Json &Json::at(std::string_view key) {
    if (!is_object()) value_ = Object();
    auto &members = std::get<Object>(value_);
    const auto found = std::find_if(members.begin(), members.end(), [&](const Member &member) { return member.key == key; });
    if (found != members.end()) return found->value;
    members.push_back({std::string(key), Json()});
    return members.back().value;
}

std::string Json::text() const { return std::visit(Writer(), value_); }

} // namespace multipoint_triton
