/// Why something cannot be quantized, in the caller's words.
public struct QuantizationError: Error, Equatable, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// An option out of range, arrays that do not fit each other, numbers that are not finite.
        case invalidArgument
        /// The caller's progress function asked to stop.
        case cancelled
        /// The linear algebra or the float network that the caller provided failed.
        case computation
    }

    public var kind: Kind
    public var description: String

    public init(_ description: String, kind: Kind = .invalidArgument) {
        self.description = description
        self.kind = kind
    }
}
