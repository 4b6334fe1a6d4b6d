import DNNL
import MultipointGraph

/// Order of a tensor's elements in memory.
public enum Layout: Hashable, Sendable {
    /// C order of the ONNX dimensions (NCHW).
    case dense
    /// Axis 1 last (NHWC).
    case channelsLast
}

/// A tensor of the program: logical shape, how it is stored, and where.
struct StoredValue: Sendable {
    var shape: [Int]
    var layout: Layout
    var type: ElementType
    /// Of u8 values.
    var quantization: AffineQuantization?
    var buffer: BufferID
    /// In the caller's memory: nothing but steps that keep within the tensor may read it.
    var isExternal = false

    var count: Int { shape.reduce(1, *) }

    var strides: [Int] {
        switch layout {
        case .dense: MemoryDescriptor.denseStrides(shape)
        case .channelsLast: MemoryDescriptor.channelsLastStrides(shape)
        }
    }

    /// Whether both layouts are the same order of elements.
    var layoutsAgree: Bool {
        shape.count < 3 || shape[1] == 1 || shape[2...].allSatisfy { $0 == 1 }
    }

    func descriptor() throws(DNNLError) -> MemoryDescriptor {
        try MemoryDescriptor(shape, type, strides: strides)
    }
}

extension AffineQuantization {
    /// Values are multiplied by 1 / scale, which overflows for scales below 3e-39: 0 would become NaN.
    func requireInverse(_ name: String) throws(RuntimeError) {
        guard (1 / scale).isFinite else {
            throw RuntimeError(.unsupported, "`\(name)` is quantized with scale \(scale); a number with a finite inverse is expected")
        }
    }
}

extension ProgramBuilder {
    /// A new value in the arena.
    func value(
        _ shape: [Int], _ layout: Layout, _ type: ElementType, _ quantization: AffineQuantization? = nil
    ) throws(RuntimeError) -> StoredValue {
        guard let count = elementCount(of: shape), count <= Int(Int32.max) else {
            throw RuntimeError(.unsupported, "a tensor of shape \(shape) has more than 2³¹ − 1 elements")
        }
        let buffer = buffer(.arena(byteCount: count * type.byteCount))
        return StoredValue(shape: shape, layout: layout, type: type, quantization: quantization, buffer: buffer)
    }

    /// The value in another layout, type or quantization, through one reorder; itself if nothing changes.
    func converted(
        _ value: StoredValue, to layout: Layout, _ type: ElementType, _ quantization: AffineQuantization? = nil, name: String,
        into destination: StoredValue? = nil
    ) throws -> StoredValue {
        try quantization?.requireInverse(name)
        let sameLayout = value.layout == layout || value.layoutsAgree
        if destination == nil, sameLayout, value.type == type, value.quantization == quantization {
            var same = value.isExternal ? try copied(value, name: name) : value
            same.layout = layout
            return same
        }
        if value.type == .uint8, type == .uint8, let from = value.quantization, let to = quantization, from != to {
            return try requantized(value, layout, from, to, name: name, into: destination)
        }
        let result = try destination ?? self.value(value.shape, layout, type, quantization)
        if value.type == .float32, let quantization {
            append(quantizeStep(value, to: result, quantization, name: name))
            return result
        }
        var attributes = Attributes()
        if value.type == .uint8, type == .float32, let from = value.quantization {
            attributes.scales = [from.scale]
            attributes.sourceZeroPoint = Int32(from.zeroPoint)
        }
        let operation =
            switch (value.type, type) {
            case (.uint8, .float32): "dequantize"
            default: "reorder"
            }
        let (from, to) = (try value.descriptor(), try result.descriptor())
        try append(
            reorder(from: from, to: to, attributes), name: name, operation: operation,
            [(.source, from, value.buffer), (.destination, to, result.buffer)])
        return result
    }

    private func requantized(
        _ value: StoredValue, _ layout: Layout, _ from: AffineQuantization, _ to: AffineQuantization, name: String,
        into destination: StoredValue?
    ) throws -> StoredValue {
        let ordered = try converted(value, to: layout, .uint8, from, name: name)
        let result = try destination ?? self.value(value.shape, layout, .uint8, to)
        append(
            LookUpStep(
                name: name, operation: "requantize", source: ordered.buffer, destination: result.buffer, count: value.count,
                table: LookUpStep.table(from: from, to: to), threads: threads))
        return result
    }

    private func copied(_ value: StoredValue, name: String) throws(RuntimeError) -> StoredValue {
        let result = try self.value(value.shape, value.layout, value.type, value.quantization)
        append(
            CopyBytesStep(
                name: name, source: value.buffer, destination: result.buffer, byteCount: value.count * value.type.byteCount))
        return result
    }

    private func quantizeStep(
        _ value: StoredValue, to result: StoredValue, _ quantization: AffineQuantization, name: String
    ) -> QuantizeStep {
        var (outer, rows, columns) = (1, 1, value.count)
        if value.layout != result.layout, !value.layoutsAgree {
            let (channels, positions) = (value.shape[1], value.shape[2...].reduce(1, *))
            (outer, rows, columns) = (value.shape[0], channels, positions)
            if value.layout == .channelsLast { (rows, columns) = (columns, rows) }
        }
        return QuantizeStep(
            name: name, source: value.buffer, destination: result.buffer, outer: outer, rows: rows, columns: columns,
            quantization: quantization, threads: threads)
    }
}
