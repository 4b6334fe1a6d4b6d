import FoundationEssentials
import MultipointGraph
import ONNXMessages

/// Reads tensors, whether their elements are in typed fields, in raw bytes or in another file.
struct TensorReader {
    /// Where external data is looked for; nil if there is no such place.
    let folder: ModelFolder?

    /// - Parameter place: what to call the tensor in messages.
    func read(_ tensor: Onnx_TensorProto, called place: String) throws(ONNXImportError) -> Tensor {
        guard let type = Onnx_TensorProto.DataType(rawValue: Int(tensor.dataType)), let elementBits = type.storedBits else {
            let name = Onnx_TensorProto.DataType(rawValue: Int(tensor.dataType)).map { $0.name } ?? "\(tensor.dataType)"
            throw ONNXImportError("\(place): element type \(name) is not supported", kind: .unsupported)
        }
        let shape = tensor.dims.map { Int($0) }
        guard !tensor.hasSegment else {
            throw ONNXImportError("\(place): tensors in segments are not supported", kind: .unsupported)
        }
        guard let count = elementCount(of: shape), count <= Layer.maximumWeightCount else {
            throw ONNXImportError("\(place): shape \(shape) is not possible")
        }
        let byteCount = (count * elementBits + 7) / 8
        var elements: Tensor.Elements
        if tensor.dataLocation == .external {
            elements = try decode(try externalBytes(tensor, count: byteCount, place), type, place)
        } else if tensor.hasRawData {
            guard tensor.rawData.count == byteCount else {
                throw ONNXImportError(
                    "\(place): \(byteCount) bytes expected for shape \(shape) of \(type.name), found \(tensor.rawData.count)"
                )
            }
            elements = try decode([UInt8](tensor.rawData), type, place)
        } else {
            elements = try typedElements(tensor, type, place)
        }
        // The last byte of an odd number of 4-bit integers holds one of them.
        if elementBits == 4, case .int64(let values) = elements, values.count == count + 1 { elements = .int64(values.dropLast()) }
        let result = Tensor(shape: shape, elements: elements, integerType: type.integerType)
        guard result.count == count else {
            throw ONNXImportError("\(place): \(count) elements expected for shape \(shape), found \(result.count)")
        }
        try checkFinite(result, place)
        return result
    }

    /// A single infinite number may be a bound (Clip); elsewhere it is as wrong as NaN.
    private func checkFinite(_ tensor: Tensor, _ place: String) throws(ONNXImportError) {
        guard let floats = tensor.floats else { return }
        let index = floats.firstIndex { floats.count == 1 ? $0.isNaN : !$0.isFinite }
        if let index { throw ONNXImportError("\(place): element \(index) is \(floats[index])") }
    }
}

extension Onnx_TensorProto.DataType {
    /// Bits of an element in raw data; nil for types that are not read.
    fileprivate var storedBits: Int? {
        switch self {
        case .int4, .uint4: 4
        case .bool, .int8, .uint8: 8
        case .int16, .uint16, .float16, .bfloat16: 16
        case .int32, .uint32, .float: 32
        case .int64, .uint64, .double: 64
        default: nil
        }
    }

    fileprivate var integerType: IntegerType? {
        switch self {
        case .bool: .bool
        case .int4: .int4
        case .uint4: .uint4
        case .int8: .int8
        case .uint8: .uint8
        case .int16: .int16
        case .uint16: .uint16
        case .int32: .int32
        case .uint32: .uint32
        case .uint64: .uint64
        default: nil
        }
    }
}

/// Little-endian elements. `bytes` holds a whole number of them.
private func decode(
    _ bytes: [UInt8], _ type: Onnx_TensorProto.DataType, _ place: String
) throws(ONNXImportError) -> Tensor.Elements {
    switch type {
    case .float: return .float(bytes.elements(Float.self))
    case .double: return .float(try narrowed(bytes.elements(Double.self), place))
    case .float16: return .float(bytes.elements(UInt16.self).map(float16))
    case .bfloat16: return .float(bytes.elements(UInt16.self).map(bfloat16))
    case .bool: return .int64(bytes.elements(UInt8.self).map { $0 == 0 ? 0 : 1 })
    // Two in a byte, the first in the low bits.
    case .int4: return .int64(bytes.flatMap { [Int64(Int8(truncatingIfNeeded: $0 << 4) >> 4), Int64(Int8(bitPattern: $0) >> 4)] })
    case .uint4: return .int64(bytes.flatMap { [Int64($0 & 15), Int64($0 >> 4)] })
    case .int8: return .int64(bytes.elements(Int8.self).map { Int64($0) })
    case .uint8: return .int64(bytes.elements(UInt8.self).map { Int64($0) })
    case .int16: return .int64(bytes.elements(Int16.self).map { Int64($0) })
    case .uint16: return .int64(bytes.elements(UInt16.self).map { Int64($0) })
    case .int32: return .int64(bytes.elements(Int32.self).map { Int64($0) })
    case .uint32: return .int64(bytes.elements(UInt32.self).map { Int64($0) })
    case .int64: return .int64(bytes.elements(Int64.self))
    case .uint64: return .int64(try signed(bytes.elements(UInt64.self), place))
    default: throw ONNXImportError("\(place): element type \(type.name) is not supported", kind: .unsupported)
    }
}

/// Elements in the fields that ONNX prescribes for each type (the comments of TensorProto).
private func typedElements(
    _ tensor: Onnx_TensorProto, _ type: Onnx_TensorProto.DataType, _ place: String
) throws(ONNXImportError) -> Tensor.Elements {
    switch type {
    case .float: return .float(tensor.floatData)
    case .double: return .float(try narrowed(tensor.doubleData, place))
    case .float16: return .float(tensor.int32Data.map { float16(UInt16(truncatingIfNeeded: $0)) })
    case .bfloat16: return .float(tensor.int32Data.map { bfloat16(UInt16(truncatingIfNeeded: $0)) })
    case .bool: return .int64(tensor.int32Data.map { $0 == 0 ? 0 : 1 })
    case .int4, .uint4: return try decode(tensor.int32Data.map { UInt8(truncatingIfNeeded: $0) }, type, place)
    case .int8, .uint8, .int16, .uint16, .int32: return .int64(tensor.int32Data.map { Int64($0) })
    case .int64: return .int64(tensor.int64Data)
    case .uint32, .uint64: return .int64(try signed(tensor.uint64Data, place))
    default: throw ONNXImportError("\(place): element type \(type.name) is not supported", kind: .unsupported)
    }
}

private func float16(_ bits: UInt16) -> Float { Float(Float16(bitPattern: bits)) }

/// The upper half of a float.
private func bfloat16(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

private func narrowed(_ values: [Double], _ place: String) throws(ONNXImportError) -> [Float] {
    if let index = values.firstIndex(where: { $0.isFinite && !Float($0).isFinite }) {
        throw ONNXImportError("\(place): element \(index) is \(values[index]), too large for a float")
    }
    return values.map { Float($0) }
}

private func signed(_ values: [UInt64], _ place: String) throws(ONNXImportError) -> [Int64] {
    if let index = values.firstIndex(where: { $0 > UInt64(Int64.max) }) {
        throw ONNXImportError("\(place): element \(index) is \(values[index]), too large for int64")
    }
    return values.map { Int64($0) }
}

extension [UInt8] {
    /// The bytes as elements; a rest that is no whole element is left out.
    fileprivate func elements<Value: BitwiseCopyable>(_: Value.Type) -> [Value] {
        let stride = MemoryLayout<Value>.stride, count = self.count / stride
        return withUnsafeBytes { source in
            [Value](unsafeUninitializedCapacity: count) { elements, initialized in
                for index in 0..<count {
                    elements.initializeElement(
                        at: index, to: source.loadUnaligned(fromByteOffset: index * stride, as: Value.self))
                }
                initialized = count
            }
        }
    }
}
