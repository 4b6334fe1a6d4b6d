/// Implementations in oneDNN 2.6 that compute wrong results, found by the exactness tests. Those that concern one implementation are
/// turned down when a primitive is created; the fusion below must not be asked for.
enum KnownFaults {
    /// What decides whether an integer convolution meets a fault.
    struct Circumstances {
        var groups: Int
        var inputChannels: Int
        /// Height times width.
        var outputPositions: Int
        /// Weights of one output channel.
        var rowLength: Int
        var isStrided: Bool
        var hasZeroPoint: Bool
    }

    static func miscomputes(_ implementation: String, _ here: Circumstances) -> Bool {
        // Wrong sums for images of exactly 5 output positions, whatever the channels, scales, bias and zero points (1 to 64 positions
        // tried). AVX-512 without VNNI only.
        if implementation == "jit_int8_1x1:avx512_core", here.outputPositions == 5 { return true }
        // With strides, the copy that drops the skipped pixels moves whole vectors: where the channels do not fill them, values of
        // neighbouring pixels are lost. SSE4.1 and AVX2.
        if implementation.hasPrefix("jit_uni_int8_1x1"), here.isStrided, here.inputChannels % 32 != 0 { return true }
        // The reorder of the weights has a routine for blocks of 8 × 8 that forgets the zero point's compensation.
        if here.groups > 1, here.hasZeroPoint, here.rowLength == 8, !implementation.contains("ref") { return true }
        return here.groups > 1 && implementation.contains("gemm")
    }
}

extension KnownFaults {
    /// Whether making this convolution takes more memory than it is worth: these kernels keep about 4 kB for each column of the result.
    static func isWasteful(_ implementation: String, outputWidth: Int) -> Bool {
        implementation.hasPrefix("brgconv") && outputWidth > 8192
    }
}

extension Primitive {
    /// Whether this convolution adds the right elements when a full tensor is fused to it. The gemm implementations of oneDNN 2.6 do not
    /// (float: dilated and strided kernels; integer: with groups), nor do depthwise ones where the channels do not fill the last vector:
    /// with groups, do not fuse at all.
    public var canFuseAddition: Bool { !implementation.contains("gemm") }
}
