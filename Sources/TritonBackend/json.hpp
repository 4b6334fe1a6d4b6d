// JSON as plain values. Reading is nlohmann/json's; its own values are not used, because their destructor allocates memory and so
// ends the process where there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace multipoint_triton {

class Json {
public:
    struct Member;
    using Array = std::vector<Json>;
    /// In the text's order.
    using Object = std::vector<Member>;

    Json() = default;
    template <class Value>
    Json(Value value) : value_(std::move(value)) {}
    Json(const char *text) : value_(std::string(text)) {}

    /// Nothing if the text is not JSON, or nested deeper than 64 levels.
    static std::optional<Json> parse(std::string_view text);

    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    bool is_object() const { return std::holds_alternative<Object>(value_); }
    const std::int64_t *integer() const { return std::get_if<std::int64_t>(&value_); }
    const std::string *string() const { return std::get_if<std::string>(&value_); }
    const Array *array() const { return std::get_if<Array>(&value_); }
    const Object *object() const { return std::get_if<Object>(&value_); }
    Array *array() { return std::get_if<Array>(&value_); }
    Object *object() { return std::get_if<Object>(&value_); }

    /// An object's member; null where there is none, or no object.
    const Json &operator[](std::string_view key) const;
    /// The same of an object, to be changed: made where there is none.
    Json &at(std::string_view key);

    /// As text, on one line.
    std::string text() const;

private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct Json::Member {
    std::string key;
    Json value;
};

} // namespace multipoint_triton
