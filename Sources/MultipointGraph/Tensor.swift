/// A constant tensor: shape and elements in C order.
///
/// ONNX element types are widened on import to one of two: floating-point types to `Float`, integer and boolean types (0 and 1) to
/// `Int64`.
public struct Tensor: Equatable, Sendable {
    public enum Elements: Equatable, Sendable {
        case float([Float])
        case int64([Int64])
    }

    public var shape: [Int]
    public var elements: Elements
    /// The file's type of integers; nil for int64 and for floats. It bounds what QuantizeLinear gives.
    public var integerType: IntegerType?

    /// - Precondition (checked by whoever reads outside data): the number of elements is the product of `shape`.
    public init(shape: [Int], elements: Elements, integerType: IntegerType? = nil) {
        self.shape = shape
        self.elements = elements
        self.integerType = integerType
    }

    public init(shape: [Int], _ values: [Float]) { self.init(shape: shape, elements: .float(values)) }
    public init(shape: [Int], _ values: [Int64]) { self.init(shape: shape, elements: .int64(values)) }

    public var count: Int {
        switch elements {
        case .float(let values): values.count
        case .int64(let values): values.count
        }
    }

    /// The elements as floats, or nil if the tensor holds integers.
    public var floats: [Float]? {
        if case .float(let values) = elements { values } else { nil }
    }

    /// The elements as integers, or nil if the tensor holds floats.
    public var integers: [Int64]? {
        if case .int64(let values) = elements { values } else { nil }
    }
}

/// ONNX's integer types but int64.
public enum IntegerType: Hashable, Sendable {
    case bool, int4, uint4, int8, uint8, int16, uint16, int32, uint32, uint64

    /// Of what `Int64` can hold.
    public var range: ClosedRange<Int64> {
        switch self {
        case .bool: 0...1
        case .int4: -8...7
        case .uint4: 0...15
        case .int8: -128...127
        case .uint8: 0...255
        case .int16: -32_768...32_767
        case .uint16: 0...65_535
        case .int32: Int64(Int32.min)...Int64(Int32.max)
        case .uint32: 0...Int64(UInt32.max)
        case .uint64: 0...Int64.max
        }
    }

    /// The value that is left of an integer's low bits, as C converts it. Zero or not, for bool.
    func wrapped(_ value: Int64) -> Int64 {
        switch self {
        case .bool: value == 0 ? 0 : 1
        case .int4: Int64(Int8(truncatingIfNeeded: value << 4) >> 4)
        case .uint4: value & 15
        case .int8: Int64(Int8(truncatingIfNeeded: value))
        case .uint8: Int64(UInt8(truncatingIfNeeded: value))
        case .int16: Int64(Int16(truncatingIfNeeded: value))
        case .uint16: Int64(UInt16(truncatingIfNeeded: value))
        case .int32: Int64(Int32(truncatingIfNeeded: value))
        case .uint32: Int64(UInt32(truncatingIfNeeded: value))
        case .uint64: value
        }
    }
}

/// The product of a shape's dimensions, or nil if one is negative, the product overflows `Int`, or a shape with a zero has other dimensions
/// whose product exceeds 2⁴⁸. So no product over some of the dimensions of a tensor's shape overflows.
public func elementCount(of shape: [Int]) -> Int? {
    var product = 1, isEmpty = false
    for dimension in shape {
        guard dimension >= 0 else { return nil }
        if dimension == 0 { isEmpty = true }
        let (next, overflow) = product.multipliedReportingOverflow(by: max(dimension, 1))
        guard !overflow else { return nil }
        product = next
    }
    guard isEmpty else { return product }
    return product <= 1 << 48 ? 0 : nil
}
