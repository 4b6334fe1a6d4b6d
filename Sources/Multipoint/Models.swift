import CMultipoint
import Headroom
import MultipointFormat
import MultipointGraph
import MultipointRuntime

/// What a `multipoint_model` points to.
final class Model: Sendable {
    let name: OwnedText
    let layers: [LayerHandle]
    let network: PreparedNetwork?
    let inputs: [(info: ValueInfo, name: OwnedText)]
    let outputs: [(info: ValueInfo, name: OwnedText)]
    /// What the layers' tensors take in the file.
    let storedByteCount: Int
    private let indices: [String: Int]

    init(_ file: PackedFile) throws {
        let handles = try file.layers.map { try LayerHandle($0) }
        name = try OwnedText(file.name)
        layers = handles
        storedByteCount = file.layers.reduce(0) { $0 + $1.storedByteCount }
        indices = Dictionary(handles.enumerated().map { ($1.prepared.layer.name, $0) }, uniquingKeysWith: { first, _ in first })
        network = file.network.map { network in
            PreparedNetwork(network, layers: Dictionary(handles.map { ($0.prepared.layer.name, $0.prepared) }, uniquingKeysWith: { first, _ in first }))
        }
        inputs = try (file.network?.inputs ?? []).map { ($0, try OwnedText($0.name)) }
        outputs = try (file.network?.outputs ?? []).map { ($0, try OwnedText($0.name)) }
    }

    func layer(named name: String) -> LayerHandle? { indices[name].map { layers[$0] } }
}

/// The callbacks and limits of a caller that opens a model.
private struct OpenOptions {
    var raw = multipoint_model_options()

    init(_ pointer: UnsafePointer<multipoint_model_options>?) throws(CallError) {
        if let pointer { raw = try options(pointer, "options", smallest: 32) }
    }

    var limits: ReadingLimits {
        var limits = ReadingLimits()
        if let given = limit(raw.maximum_file_bytes) { limits.fileByteCount = given }
        if let given = limit(raw.maximum_tensors) { limits.tensorCount = given }
        if let given = limit(raw.maximum_nodes) { limits.nodeCount = given }
        if let given = limit(raw.maximum_elements) { limits.elementCount = given }
        limits.weightByteCount = limit(raw.maximum_weight_bytes)
        return limits
    }

    /// False cancels.
    func progress(_ fraction: Double) -> Bool { raw.progress.map { $0(raw.user_data, fraction) == 0 } ?? true }

    func log(_ level: multipoint_log_level, _ message: String) {
        guard let log = raw.log else { return }
        message.withCString { log(raw.user_data, level, $0) }
    }
}

/// A limit of the caller's options; nil for its default.
func limit(_ given: UInt64) -> Int? { given == 0 ? nil : Int(clamping: given) }

private func open(
    _ options: UnsafePointer<multipoint_model_options>?, _ model: UnsafeMutablePointer<OpaquePointer?>?,
    _ read: (OpenOptions) throws -> PackedFile
) throws {
    let model = try required(model, "model")
    let options = try OpenOptions(options)
    try requireMemory()
    let file: PackedFile
    do { file = try read(options) } catch let error as GraphError {
        throw CallError(error.kind == .unsupported ? MULTIPOINT_UNSUPPORTED : MULTIPOINT_BAD_FORMAT, error.description)
    }
    let opened = try Model(file)
    for layer in opened.layers where layer.prepared.rows.map({ $0.extraCount > 0 }) ?? false {
        options.log(MULTIPOINT_LOG_INFO, "layer `\(layer.prepared.layer.name)`: \(layer.prepared.execution)")
    }
    model.pointee = OpaquePointer(retaining: opened)
}

@_cdecl("multipoint_model_open")
public func multipoint_model_open(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<multipoint_model_options>?,
    _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let path = try text(path, "path")
        try open(options, model) { options in try PackedFile(path: path, limits: options.limits, progress: options.progress) }
    }
}

@_cdecl("multipoint_model_open_memory")
public func multipoint_model_open_memory(
    _ data: UnsafeRawPointer?, _ byteCount: Int, _ options: UnsafePointer<multipoint_model_options>?,
    _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let data = try required(data, "data")
        guard byteCount >= 0 else { throw CallError.invalid("`byte_count` \(UInt(bitPattern: byteCount)) is larger than memory") }
        try open(options, model) { options in
            try PackedFile(
                bytes: UnsafeRawBufferPointer(start: data, count: byteCount), source: "memory", limits: options.limits,
                progress: options.progress)
        }
    }
}

@_cdecl("multipoint_model_destroy")
public func multipoint_model_destroy(_ model: OpaquePointer?) { model?.release(Model.self) }

@_cdecl("multipoint_model_name")
public func multipoint_model_name(_ model: OpaquePointer?) -> UnsafePointer<CChar>? { model?.object(Model.self).name.pointer }

@_cdecl("multipoint_model_has_graph")
public func multipoint_model_has_graph(_ model: OpaquePointer?) -> Int32 {
    model?.object(Model.self).network == nil ? 0 : 1
}

@_cdecl("multipoint_model_input_count")
public func multipoint_model_input_count(_ model: OpaquePointer?) -> Int { model?.object(Model.self).inputs.count ?? 0 }

@_cdecl("multipoint_model_output_count")
public func multipoint_model_output_count(_ model: OpaquePointer?) -> Int { model?.object(Model.self).outputs.count ?? 0 }

@_cdecl("multipoint_model_input")
public func multipoint_model_input(
    _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<multipoint_value_info>?
) -> multipoint_status {
    call {
        let model = try required(model, "model").object(Model.self)
        try fill(info, "info") { try model.describe(model.inputs, index, "input") }
    }
}

@_cdecl("multipoint_model_output")
public func multipoint_model_output(
    _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<multipoint_value_info>?
) -> multipoint_status {
    call {
        let model = try required(model, "model").object(Model.self)
        try fill(info, "info") { try model.describe(model.outputs, index, "output") }
    }
}

@_cdecl("multipoint_model_layer_count")
public func multipoint_model_layer_count(_ model: OpaquePointer?) -> Int { model?.object(Model.self).layers.count ?? 0 }

@_cdecl("multipoint_model_layer")
public func multipoint_model_layer(
    _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<multipoint_layer_info>?
) -> multipoint_status {
    call {
        let layers = try required(model, "model").object(Model.self).layers
        try fill(info, "info") { try element(layers, index, "layer").info }
    }
}

/// An element by the caller's index.
func element<T>(_ elements: [T], _ index: Int, _ what: String) throws(CallError) -> T {
    guard elements.indices.contains(index) else {
        throw CallError(MULTIPOINT_NOT_FOUND, "\(what) \(UInt(bitPattern: index)) does not exist; there are \(elements.count)")
    }
    return elements[index]
}

extension Model {
    fileprivate func describe(
        _ values: [(info: ValueInfo, name: OwnedText)], _ index: Int, _ what: String
    ) throws -> multipoint_value_info {
        let (value, name) = try element(values, index, what)
        var info = multipoint_value_info()
        info.name = name.pointer
        info.dtype = MULTIPOINT_F32
        info.rank = Int32(clamping: value.shape.count)
        assign(&info.dimensions, value.shape.map { if case .fixed(let size) = $0 { size } else { -1 } })
        if let quantization = network?.network.quantization[value.name] {
            info.scale = quantization.scale
            info.zero_point = Int32(quantization.zeroPoint)
        }
        return info
    }
}
