#include "kernel.hpp"

library::Model packed_file(const host::Node &node, size_t index, const Settings &settings, const std::string &place) {
    if (const std::string file = node.attribute("file"); !file.empty()) {
        return library::shared_model(file.data(), file.size(), settings, place + ", attribute `file`");
    }
    host::Tensor file{};
    if (!node.constant_input(index, &file)) {
        throw host::InvalidArgument(
            place + ": no packed file: the attribute `file`, or a constant of type uint8 as input " + std::to_string(index) + ", is expected");
    }
    const std::string what = place + ", input " + std::to_string(index);
    if (file.type != ort::ElementType::uint8) throw host::InvalidArgument(what + ": a packed file as uint8 is expected");
    return library::shared_model(file.data, file.count(), settings, what);
}

std::string place_of(const host::Node &node) {
    return "multipoint: node `" + node.name() + "`";
}

void require_float(const host::Tensor &tensor, const std::string &what) {
    if (tensor.type != ort::ElementType::float32) throw host::InvalidArgument(what + " is no tensor of type float");
}
