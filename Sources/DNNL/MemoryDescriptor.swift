import CDNNL

/// Shape, element type and layout of a tensor. Dimensions are in oneDNN's logical order (N, C, H, W; O, I, H, W; G, O, I, H, W).
public struct MemoryDescriptor: Sendable {
    /// oneDNN's descriptor with its owner. Immutable.
    private final class Owner: @unchecked Sendable {
        let handle: onednn_desc
        init(_ handle: onednn_desc) { self.handle = handle }
        deinit { onednn_desc_destroy(handle) }
    }

    private let owner: Owner
    /// Valid as long as this value is.
    var handle: onednn_desc { owner.handle }

    /// Takes over a descriptor.
    init(_ handle: onednn_desc) { owner = Owner(handle) }

    /// A plain layout. `strides` are in elements; nil means dense in C order. A scalar is a vector of one element: without dimensions
    /// oneDNN takes it for no tensor at all.
    public init(_ dimensions: [Int], _ type: ElementType, strides: [Int]? = nil) throws(DNNLError) {
        let dimensions64 = dimensions.isEmpty ? [1] : dimensions.map(Int64.init)
        let strides64 = dimensions.isEmpty ? [1] : (strides ?? MemoryDescriptor.denseStrides(dimensions)).map(Int64.init)
        try self.init(created: "describe tensor \(dimensions) with strides \(strides64)") { handle in
            onednn_desc_strided(&handle, Int32(clamping: dimensions64.count), dimensions64, type.dnnl, strides64)
        }
    }

    /// A layout that the primitive chooses (dnnl_format_tag_any).
    public static func any(_ dimensions: [Int], _ type: ElementType) throws(DNNLError) -> MemoryDescriptor {
        let dimensions64 = dimensions.map(Int64.init)
        return try MemoryDescriptor(created: "describe tensor \(dimensions)") { handle in
            onednn_desc_any(&handle, Int32(clamping: dimensions.count), dimensions64, type.dnnl)
        }
    }

    private init(created what: @autoclosure () -> String, _ create: (inout onednn_desc?) -> dnnl_status_t) throws(DNNLError) {
        var handle: onednn_desc?
        try check(create(&handle), what())
        guard let handle else { throw DNNLError(call: what(), status: dnnl_out_of_memory.rawValue) }
        self.init(handle)
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

    var rank: Int { Int(onednn_desc_rank(handle)) }

    /// Sizes of all axes.
    public var dimensions: [Int] { (0..<rank).map(dimension) }

    /// The size of an axis; 1 beyond the last.
    func dimension(_ axis: Int) -> Int { axis < rank ? Int(onednn_desc_dimension(handle, Int32(axis))) : 1 }

    /// Nil for types that this module does not use.
    public var type: ElementType? {
        switch onednn_desc_type(handle) {
        case dnnl_f32: .float32
        case dnnl_u8: .uint8
        case dnnl_s8: .int8
        case dnnl_s32: .int32
        default: nil
        }
    }

    /// Bytes of memory that a tensor of this descriptor needs.
    public var byteCount: Int { onednn_desc_size(handle) }
}

extension MemoryDescriptor: Equatable {
    public static func == (a: MemoryDescriptor, b: MemoryDescriptor) -> Bool { onednn_desc_equal(a.handle, b.handle) != 0 }
}
