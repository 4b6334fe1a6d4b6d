import CMultipoint
import DNNL
import Headroom
import MultipointFormat
import MultipointGraph
import MultipointRuntime
import Synchronization

/// What a `multipoint_layer` points to: a layer and its description.
final class LayerHandle: Sendable {
    let prepared: PreparedLayer
    /// Decoded for a caller who wants to see them.
    private let shown = Mutex<ShownRows?>(nil)
    private let name: OwnedText
    private let execution: OwnedText
    private let described: Description

    private struct Description: @unchecked Sendable { var info: multipoint_layer_info }

    /// - Parameter layer: has passed `Layer.validate`.
    init(_ layer: Layer) throws {
        try requireMemory(PreparedLayer.byteCount(layer))
        prepared = PreparedLayer(layer)
        name = try OwnedText(layer.name)
        execution = try OwnedText(prepared.execution)
        described = Description(info: layer.info(rows: prepared.rows))
    }

    /// Nil for a layer kept in float. No lock is held while they are decoded: of two threads that decode,
    /// one throws its rows away.
    func rows() throws -> ShownRows? {
        guard let rows = prepared.rows else { return nil }
        if let known = Fork.excluded({ shown.withLock { $0 } }) { return known }
        let made = try ShownRows(
            values: OwnedArray(count: rows.count * rows.rowLength) { rows.decode(to: $0, threads: 1) },
            scales: OwnedArray(rows.scales), channels: OwnedArray(rows.channels))
        return Fork.excluded {
            shown.withLock { shown in
                if shown == nil { shown = made }
                return shown
            }
        }
    }

    var info: multipoint_layer_info {
        var info = described.info
        info.name = name.pointer
        info.execution = execution.pointer
        return info
    }
}

/// A layer's rows as C arrays.
struct ShownRows: Sendable {
    let values: OwnedArray<Int8>
    let scales: OwnedArray<Float>
    let channels: OwnedArray<Int32>
}

extension Layer {
    /// Everything about the layer but its strings.
    fileprivate func info(rows: LayerRows?) -> multipoint_layer_info {
        var info = multipoint_layer_info()
        info.rank = Int32(clamping: shape.count)
        assign(&info.shape, shape)
        var attributes = ConvolutionAttributes()
        switch operation {
        case .gemm: info.op = MULTIPOINT_GEMM
        case .convolution(let own): (info.op, attributes) = (MULTIPOINT_CONV, own)
        }
        assign(&info.strides, attributes.strides)
        assign(&info.pads, attributes.pads)
        assign(&info.dilations, attributes.dilations)
        info.group = Int64(attributes.group)
        info.channels = Int64(channels)
        info.row_length = Int64(rowLength)
        info.has_bias = bias == nil ? 0 : 1
        info.bits_per_weight = bitsPerWeight
        info.bytes = UInt64(storedByteCount)
        if case .packed(let packed) = weights {
            info.points = packed.points.reduce(0) { $0 + Int64($1) }
            info.maximum_points = Int32(packed.points.max() ?? 0)
            info.base_bits = Int32(clamping: packed.levels.first?.bits ?? 0)
        } else {
            info.is_float = 1
        }
        info.rows = Int64(rows?.count ?? 0)
        info.folded_rows = Int64(rows?.foldedCount ?? 0)
        info.input_scale = inputQuantization?.scale ?? 0
        info.input_zero_point = Int32(inputQuantization?.zeroPoint ?? 0)
        info.output_scale = outputQuantization?.scale ?? 0
        info.output_zero_point = Int32(outputQuantization?.zeroPoint ?? 0)
        return info
    }
}

@_cdecl("multipoint_layer_from_model")
public func multipoint_layer_from_model(
    _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ layer: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let model = try required(model, "model").object(Model.self)
        let name = try text(name, "name")
        let layer = try required(layer, "layer")
        guard let found = model.layer(named: name) else {
            throw CallError(MULTIPOINT_NOT_FOUND, "no layer is named `\(name)`; the model has \(model.layers.count) layers")
        }
        layer.pointee = OpaquePointer(retaining: found)
    }
}

@_cdecl("multipoint_layer_create")
public func multipoint_layer_create(
    _ descriptor: UnsafePointer<multipoint_layer_descriptor>?, _ layer: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let descriptor = try options(try required(descriptor, "descriptor"), "descriptor")
        let layer = try required(layer, "layer")
        let described = try descriptor.layer()
        try described.validate()
        layer.pointee = OpaquePointer(retaining: try LayerHandle(described))
    }
}

@_cdecl("multipoint_layer_destroy")
public func multipoint_layer_destroy(_ layer: OpaquePointer?) { layer?.release(LayerHandle.self) }

@_cdecl("multipoint_layer_describe")
public func multipoint_layer_describe(
    _ layer: OpaquePointer?, _ info: UnsafeMutablePointer<multipoint_layer_info>?
) -> multipoint_status {
    call {
        let handle = try required(layer, "layer").object(LayerHandle.self)
        try fill(info, "info") { handle.info }
    }
}

@_cdecl("multipoint_layer_rows")
public func multipoint_layer_rows(
    _ layer: OpaquePointer?, _ rows: UnsafeMutablePointer<multipoint_rows>?
) -> multipoint_status {
    call {
        let handle = try required(layer, "layer").object(LayerHandle.self)
        try fill(rows, "rows") {
            guard let own = try handle.rows() else {
                throw CallError(MULTIPOINT_UNSUPPORTED, "layer `\(handle.prepared.layer.name)` is kept in float: it has no rows")
            }
            return multipoint_rows(
                struct_size: 0, row_count: own.scales.count, row_length: handle.prepared.layer.rowLength,
                values: own.values.pointer, scales: own.scales.pointer, channels: own.channels.pointer)
        }
    }
}
