/// A constant tensor: shape and elements in C order.
///
/// ONNX element types are widened on import to one of two: floating-point types to `Float`, integer and boolean types to
/// `Int64`.
public struct Tensor: Equatable, Sendable {
    public enum Elements: Equatable, Sendable {
        case float([Float])
        case int64([Int64])
    }

    public var shape: [Int]
    public var elements: Elements

    /// - Precondition (checked by whoever reads outside data): the number of elements is the product of `shape`.
    public init(shape: [Int], elements: Elements) {
        self.shape = shape
        self.elements = elements
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

/// The product of a shape's dimensions, or nil if one is negative or the product overflows `Int`.
public func elementCount(of shape: [Int]) -> Int? {
    var product = 1
    for dimension in shape {
        guard dimension >= 0 else { return nil }
        let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
        guard !overflow else { return nil }
        product = next
    }
    return product
}
