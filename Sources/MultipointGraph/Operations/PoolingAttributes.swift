/// Window attributes of a pooling operator over two spatial dimensions, with auto_pad already resolved.
public struct Pooling: Hashable, Sendable {
    public var kernel: [Int]
    public var strides: [Int]
    /// Top, left, bottom, right.
    public var pads: [Int]
    public var dilations: [Int]
    /// Round the output size up: windows may start inside the input or the left padding and run over the end.
    public var ceilMode: Bool

    public init(
        kernel: [Int], strides: [Int] = [1, 1], pads: [Int] = [0, 0, 0, 0], dilations: [Int] = [1, 1], ceilMode: Bool = false
    ) {
        self.kernel = kernel
        self.strides = strides
        self.pads = pads
        self.dilations = dilations
        self.ceilMode = ceilMode
    }
}
