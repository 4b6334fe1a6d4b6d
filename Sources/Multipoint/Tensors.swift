import CMultipoint
import DNNL
import MultipointGraph
import MultipointRuntime

extension multipoint_dtype {
    /// Nil for MULTIPOINT_DTYPE_NONE and for numbers that are no dtype.
    var elementType: ElementType? {
        switch self {
        case MULTIPOINT_F32: .float32
        case MULTIPOINT_U8: .uint8
        case MULTIPOINT_S8: .int8
        case MULTIPOINT_S32: .int32
        default: nil
        }
    }
}

extension ElementType {
    var name: String {
        switch self {
        case .float32: "f32"
        case .uint8: "u8"
        case .int8: "s8"
        case .int32: "s32"
        }
    }
}

/// A caller's tensor that was found to fit.
struct CheckedTensor {
    var data: UnsafeMutableRawPointer
    var byteCount: Int
    var layout: Layout

    func overlaps(_ other: CheckedTensor) -> Bool {
        let (a, b) = (UInt(bitPattern: data), UInt(bitPattern: other.data))
        return a < b + UInt(other.byteCount) && b < a + UInt(byteCount)
    }
}

/// What a call expects of a tensor.
struct TensorExpectation {
    var name: String
    var type: ElementType
    /// Nil entries are free (the batch), but positive.
    var shape: [Int?]
    /// The only layout accepted, or nil for both dense orders; NULL strides mean this one, or C order.
    var layout: Layout?
}

extension multipoint_tensor {
    /// Checks the tensor against what is expected. Allocates only to report an error.
    func checked(_ expected: TensorExpectation) throws(CallError) -> CheckedTensor {
        guard dtype.elementType == expected.type else {
            throw fail(expected, "dtype \(expected.type.name) expected, found \(dtype.elementType?.name ?? "number \(dtype.rawValue)")")
        }
        guard Int(rank) == expected.shape.count, let dimensions else {
            throw fail(expected, "shape \(expected.text) expected, found rank \(rank)\(dimensions == nil ? " and NULL dimensions" : "")")
        }
        var count = 1
        for (axis, wanted) in expected.shape.enumerated() {
            let found = Int(dimensions[axis])
            let (product, overflow) = count.multipliedReportingOverflow(by: found)
            guard found >= 1, found == wanted ?? found, !overflow else {
                throw fail(expected, "shape \(expected.text) expected, found \(shapeText)")
            }
            count = product
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: expected.type.byteCount)
        guard !overflow, bytes <= byte_count else {
            throw fail(expected, "\(count) elements of \(expected.type.name) need \(bytes) bytes, byte_count is \(byte_count)")
        }
        guard let data else { throw fail(expected, "data is NULL") }
        let end = UInt(bitPattern: data).addingReportingOverflow(UInt(bytes))
        guard !end.overflow else { throw fail(expected, "data and byte_count reach beyond the address space") }
        return CheckedTensor(data: data, byteCount: bytes, layout: try layout(expected))
    }

    /// Which dense order the strides describe.
    private func layout(_ expected: TensorExpectation) throws(CallError) -> Layout {
        guard let strides, let dimensions else { return expected.layout ?? .dense }
        let isDense = matches(strides, dimensions, channelsLast: false)
        let isChannelsLast = rank == 4 && matches(strides, dimensions, channelsLast: true)
        switch expected.layout {
        case .dense? where isDense, nil where isDense: return .dense
        case .channelsLast? where isChannelsLast, nil where isChannelsLast: return .channelsLast
        case .channelsLast? where rank != 4 && isDense: return .channelsLast
        default:
            let order =
                switch expected.layout {
                case .dense?: "dense NCHW strides"
                case .channelsLast?: "dense NHWC strides"
                case nil: "dense NCHW or NHWC strides"
                }
            throw fail(expected, "\(order) expected for shape \(shapeText), found [\((0..<Int(rank)).map { "\(strides[$0])" }.joined(separator: ", "))]")
        }
    }

    /// Whether strides are those of a dense order: last axis to first, or channels innermost.
    private func matches(_ strides: UnsafePointer<Int64>, _ dimensions: UnsafePointer<Int64>, channelsLast: Bool) -> Bool {
        var expected: Int64 = 1
        func agrees(_ axis: Int) -> Bool {
            let fits = dimensions[axis] == 1 || strides[axis] == expected
            expected *= dimensions[axis]
            return fits
        }
        if channelsLast, !agrees(1) { return false }
        for axis in stride(from: Int(rank) - 1, through: 0, by: -1) where !(channelsLast && axis == 1) {
            if !agrees(axis) { return false }
        }
        return true
    }

    private var shapeText: String {
        guard let dimensions, (0...Int32(MULTIPOINT_MAX_RANK)).contains(rank) else { return "rank \(rank)" }
        return "[\((0..<Int(rank)).map { "\(dimensions[$0])" }.joined(separator: ", "))]"
    }

    private func fail(_ expected: TensorExpectation, _ problem: String) -> CallError { .invalid("\(expected.name): \(problem)") }
}

extension TensorExpectation {
    var text: String { "[\(shape.map { $0.map(String.init) ?? "N" }.joined(separator: ", "))]" }
}
