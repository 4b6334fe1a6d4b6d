import MultipointFormat
import MultipointGraph

extension NPYArray {
    /// - Throws: `NPYError` naming the file, or `PackedFileError` where the system refuses.
    package init(path: String) throws {
        let content: FileContent
        do { content = try FileContent(path: path) } catch { throw NPYError("`\(path)`: \(error.description)") }
        do {
            self = try withExtendedLifetime(content) { try NPYArray(content.bytes) }
        } catch let error as NPYError {
            throw NPYError("`\(path)`: \(error.description)")
        }
    }

    /// The format: magic, version, header length (16 bits in version 1, else 32), a Python dictionary, the data.
    package init(_ bytes: UnsafeRawBufferPointer) throws(NPYError) {
        guard bytes.count >= 10, Array(bytes[..<6]) == NPYArray.magic else { throw NPYError("not a .npy file") }
        let version = (bytes[6], bytes[7])
        guard (1...3).contains(version.0), version.1 == 0 else {
            throw NPYError(".npy version \(version.0).\(version.1); 1.0 to 3.0 can be read")
        }
        let lengthSize = version.0 == 1 ? 2 : 4
        guard bytes.count >= 8 + lengthSize else { throw NPYError("truncated: the header is missing") }
        let length = (0..<lengthSize).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        let start = 8 + lengthSize
        guard length <= bytes.count - start else {
            throw NPYError("truncated: its header has \(length) bytes, only \(bytes.count - start) are left")
        }
        let header = try NPYHeader(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
        try self.init(header, UnsafeRawBufferPointer(rebasing: bytes[(start + length)...]))
    }

    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    private init(_ header: NPYHeader, _ data: UnsafeRawBufferPointer) throws(NPYError) {
        guard !header.isFortranOrder || header.shape.count(where: { $0 != 1 }) <= 1 else {
            throw NPYError("in Fortran order; C order expected (numpy.ascontiguousarray)")
        }
        guard let count = elementCount(of: header.shape) else { throw NPYError("shape \(header.shape) is impossible") }
        func elements<Element: BitwiseCopyable>(_: Element.Type) throws(NPYError) -> [Element] {
            let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.size)
            guard !overflow, size == data.count else {
                let fault = overflow || size > data.count ? "truncated" : "too long"
                throw NPYError(
                    "\(fault): \(sizesText(header.shape)) elements of type `\(header.type)` expected, found \(data.count) bytes")
            }
            return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
                UnsafeMutableRawBufferPointer(elements).copyMemory(from: data)
                initialized = count
            }
        }
        shape = header.shape
        switch header.type {
        case "|u1", "<u1", "u1": self.elements = .uint8(try elements(UInt8.self))
        case "<f4": self.elements = .float32(try elements(Float.self))
        case "<i4": self.elements = .int32(try elements(Int32.self))
        case "<i8": self.elements = .int64(try elements(Int64.self))
        default:
            throw NPYError(
                "element type `\(header.type)`; uint8, float32, int32 or int64 in little-endian expected (numpy.astype)")
        }
    }
}
