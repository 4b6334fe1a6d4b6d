import MultipointGraph

/// A weight vector and the width B that it is rounded to; 0 makes it a vector of zeros.
public struct RoundedRow: Hashable, Sendable {
    public var channel: Int
    public var bits: Int

    public init(channel: Int, bits: Int) {
        self.channel = channel
        self.bits = bits
    }
}

/// Vectors of a layer's channels, each rounded at some widths. Vectors are meant by their index in `rows`.
public protocol RoundedRows: Sendable {
    var rowLength: Int { get }
    var rows: [RoundedRow] { get }
    /// Per row: what the rounding adds to the variance of the channel's output, E[((w − ŵ) · x)²] less its mean's square where E[x] is
    /// known.
    var errors: [Double] { get }
    /// Per row: the error's mean E[(w − ŵ) · x], for the layer's bias to take up; 0 where E[x] is not known.
    var shifts: [Float] { get }

    /// Whether ŵ is 0, so that it needs no point.
    func isEmpty(_ row: Int) -> Bool
    /// ŵ.
    func vector(_ row: Int) -> [Float]
    /// Bytes in a file of one row that shares nothing with others, and of a layer that has one row for every channel.
    func byteCount(ofRow row: Int) -> Int
    func byteCount(ofLayer rows: [Int]) -> Int
    /// A layer that has one row for every channel, in order.
    func packed(_ rows: [Int]) throws(QuantizationError) -> PackedWeights
}
