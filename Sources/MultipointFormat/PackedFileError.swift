import Headroom

/// Why a packed file cannot be read or written, in the words of the file.
public struct PackedFileError: Error, Equatable, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// The system refused; the description has its reason.
        case io
        /// The file is damaged or contradicts itself.
        case badFormat
        /// Well-formed, but beyond this version: a newer major version, an operator.
        case unsupported
        /// More than `ReadingLimits` allow.
        case limitExceeded
        /// The progress callback asked to stop.
        case cancelled
        case outOfMemory
    }

    public var kind: Kind
    /// Which file, which tensor or layer, what was expected and what was found.
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static func badFormat(_ description: String) -> PackedFileError { PackedFileError(.badFormat, description) }
    static func limit(_ description: String) -> PackedFileError { PackedFileError(.limitExceeded, description) }
}

/// `Headroom.requireMemory` in this module's words.
func requireMemory(_ count: Int, of size: Int = 1) throws(PackedFileError) {
    do { try Headroom.requireMemory(count, of: size) } catch { throw PackedFileError(.outOfMemory, error.description) }
}

/// Runs `body`; its errors get the place in front.
func placing<R>(_ place: String, _ body: () throws(PackedFileError) -> R) throws(PackedFileError) -> R {
    do throws(PackedFileError) {
        return try body()
    } catch {
        throw PackedFileError(error.kind, "\(place): \(error.description)")
    }
}
