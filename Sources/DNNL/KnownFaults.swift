/// Implementations in oneDNN 2.6 that compute wrong results, found by the exactness tests. Those that concern one implementation are
/// turned down when a primitive is created; the fusion below must not be asked for.
enum KnownFaults {
    /// `jit_int8_1x1:avx512_core`, the AVX-512 kernel without VNNI, returns wrong sums when an image has exactly 5 output positions
    /// (all channel counts, with and without scales, bias and zero points; 1 to 64 positions tried). The general kernel is right.
    static func miscomputes(_ implementation: String, outputPositions: Int) -> Bool {
        outputPositions == 5 && implementation == "jit_int8_1x1:avx512_core"
    }
}

extension Primitive {
    /// Whether this convolution adds the right elements when a full tensor is fused to it. The gemm implementations of oneDNN 2.6 do not
    /// (float: dilated and strided kernels; integer: with groups), nor do depthwise ones where the channels do not fill the last vector:
    /// with groups, do not fuse at all.
    public var canFuseAddition: Bool { !implementation.contains("gemm") }
}
