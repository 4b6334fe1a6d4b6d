import MultipointGraph

/// An array of a `.npy` file (NumPy's format, versions 1.0 to 3.0), in C order.
package struct NPYArray: Equatable {
    package enum Elements: Equatable {
        case uint8([UInt8])
        case float32([Float])
        case int32([Int32])
        case int64([Int64])
    }

    package var shape: [Int]
    package var elements: Elements

    package init(shape: [Int], elements: Elements) { (self.shape, self.elements) = (shape, elements) }

    package var count: Int {
        switch elements {
        case .uint8(let values): values.count
        case .float32(let values): values.count
        case .int32(let values): values.count
        case .int64(let values): values.count
        }
    }

    /// The elements of a float array; else none.
    package var floats: [Float] { if case .float32(let values) = elements { values } else { [] } }

    /// NumPy's name.
    package var typeName: String {
        switch elements {
        case .uint8: "uint8"
        case .float32: "float32"
        case .int32: "int32"
        case .int64: "int64"
        }
    }
}

/// "32×32×3".
package func sizesText(_ sizes: [Int]) -> String { sizes.map(String.init).joined(separator: "×") }
