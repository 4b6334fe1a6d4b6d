import CDNNL

/// Element types of tensors.
public enum ElementType: Hashable, Sendable {
    case float32, uint8, int8, int32

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .uint8, .int8: 1
        }
    }

    var dnnl: dnnl_data_type_t {
        switch self {
        case .float32: dnnl_f32
        case .uint8: dnnl_u8
        case .int8: dnnl_s8
        case .int32: dnnl_s32
        }
    }
}
