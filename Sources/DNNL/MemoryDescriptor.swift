import CDNNL

/// Shape, element type and layout of a tensor. Dimensions are in oneDNN's logical order (N, C, H, W; O, I, H, W; G, O, I, H, W).
public struct MemoryDescriptor: @unchecked Sendable {
    var value: dnnl_memory_desc_t

    init(_ value: dnnl_memory_desc_t) { self.value = value }

    /// A plain layout. `strides` are in elements; nil means dense in C order. A scalar is a vector of one element: without dimensions
    /// oneDNN takes it for no tensor at all.
    public init(_ dimensions: [Int], _ type: ElementType, strides: [Int]? = nil) throws(DNNLError) {
        value = dnnl_memory_desc_t()
        var dimensions64 = dimensions.isEmpty ? [1] : dimensions.map(Int64.init)
        var strides64 = dimensions.isEmpty ? [1] : (strides ?? MemoryDescriptor.denseStrides(dimensions)).map(Int64.init)
        try check(
            dnnl_memory_desc_init_by_strides(&value, Int32(clamping: dimensions64.count), &dimensions64, type.dnnl, &strides64),
            "describe tensor \(dimensions) with strides \(strides64)")
    }

    /// A layout that the primitive chooses (dnnl_format_tag_any).
    public static func any(_ dimensions: [Int], _ type: ElementType) throws(DNNLError) -> MemoryDescriptor {
        var value = dnnl_memory_desc_t()
        var dimensions64 = dimensions.map(Int64.init)
        try check(
            dnnl_memory_desc_init_by_tag(&value, Int32(clamping: dimensions.count), &dimensions64, type.dnnl, dnnl_format_tag_any),
            "describe tensor \(dimensions)")
        return MemoryDescriptor(value)
    }

    /// Channels-last (NHWC), for N, C, H, W dimensions.
    public static func channelsLast(_ dimensions: [Int], _ type: ElementType) throws(DNNLError) -> MemoryDescriptor {
        try MemoryDescriptor(dimensions, type, strides: channelsLastStrides(dimensions))
    }

    /// Strides of C order: the last axis is contiguous.
    public static func denseStrides(_ dimensions: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: dimensions.count)
        for axis in dimensions.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * max(1, dimensions[axis + 1]) }
        return strides
    }

    /// Strides of the layout in which axis 1 is contiguous and the others keep their order.
    public static func channelsLastStrides(_ dimensions: [Int]) -> [Int] {
        guard dimensions.count > 2 else { return denseStrides(dimensions) }
        let moved = denseStrides([dimensions[0]] + dimensions[2...] + [dimensions[1]])
        return [moved[0], 1] + moved[1..<(moved.count - 1)]
    }

    /// Sizes of all axes.
    public var dimensions: [Int] { (0..<Int(value.ndims)).map(dimension) }

    /// The size of an axis; 1 beyond the last.
    func dimension(_ axis: Int) -> Int {
        guard axis < Int(value.ndims) else { return 1 }
        return withUnsafeBytes(of: value.dims) { Int($0.load(fromByteOffset: axis * 8, as: Int64.self)) }
    }

    /// Nil for types that this module does not use.
    public var type: ElementType? {
        switch value.data_type {
        case dnnl_f32: .float32
        case dnnl_u8: .uint8
        case dnnl_s8: .int8
        case dnnl_s32: .int32
        default: nil
        }
    }

    /// Bytes of memory that a tensor of this descriptor needs.
    public var byteCount: Int {
        var copy = value
        return dnnl_memory_desc_get_size(&copy)
    }
}

extension MemoryDescriptor: Equatable {
    public static func == (a: MemoryDescriptor, b: MemoryDescriptor) -> Bool {
        var (x, y) = (a.value, b.value)
        return dnnl_memory_desc_equal(&x, &y) != 0
    }
}
