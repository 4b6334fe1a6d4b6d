/// Vectors of `bits`-wide codes as the file stores them: from the least significant bit, each vector starting on a byte.
///
/// Eight codes are as many bytes as a code has bits; they are spread from one 64-bit word to its eight bytes in three steps that
/// halve each time.
public struct BitPacking: Sendable {
    /// 1 to 8.
    public let bits: Int
    /// Codes in a vector.
    public let vectorLength: Int
    private let halves: SpreadStep
    private let quarters: SpreadStep
    private let eighths: SpreadStep

    /// Moves the upper of two neighbouring groups of bits to the upper half of its lane.
    private struct SpreadStep: Sendable {
        /// The lower group of every lane.
        var mask: UInt64
        var shift: UInt64

        @inline(__always)
        func spread(_ word: UInt64) -> UInt64 { (word & mask) | ((word & ~mask) &<< shift) }

        @inline(__always)
        func gather(_ word: UInt64) -> UInt64 { (word & mask) | ((word &>> shift) & ~mask) }
    }

    /// - Parameter vectorLength: at most `Layer.maximumWeightCount`, so that products stay far from overflow.
    public init(bits: Int, vectorLength: Int) {
        self.bits = bits
        self.vectorLength = vectorLength
        let b = UInt64(bits)
        let low = { (width: UInt64) in (UInt64(1) &<< width) &- 1 }
        halves = SpreadStep(mask: low(4 * b), shift: 32 - 4 * b)
        quarters = SpreadStep(mask: low(2 * b) &* 0x1_0000_0001, shift: 16 - 2 * b)
        eighths = SpreadStep(mask: low(b) &* 0x1_0001_0001_0001, shift: 8 - b)
    }

    public var vectorByteCount: Int { (vectorLength * bits + 7) / 8 }

    /// Eight codes in the low `8 · bits` bits to one per byte.
    @inline(__always)
    private func spread(_ word: UInt64) -> UInt64 {
        eighths.spread(quarters.spread(halves.spread(bits == 8 ? word : word & ((UInt64(1) &<< UInt64(8 * bits)) &- 1))))
    }

    @inline(__always)
    private func gather(_ bytes: UInt64) -> UInt64 { halves.gather(quarters.gather(eighths.gather(bytes))) }

    /// Codes `8 · group` to `8 · group + 7` of a vector; those beyond its last are anything below 2^bits.
    @inline(__always)
    func codes(_ packed: UnsafeRawBufferPointer, vector: Int, group: Int) -> SIMD8<UInt8> {
        let word = spread(load(packed, at: vector * vectorByteCount + group * bits, before: packed.count))
        return unsafeBitCast(word.littleEndian, to: SIMD8<UInt8>.self)
    }

    /// - Parameter packed: [vectors, vectorByteCount].
    /// - Returns: [vectors, vectorLength], one code per byte.
    public func unpack(_ packed: UnsafeRawBufferPointer, vectors: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: vectors * vectorLength) { codes, count in
            let codes = UnsafeMutableRawBufferPointer(codes)
            for vector in 0..<vectors {
                for group in 0..<(vectorLength + 7) / 8 {
                    let start = vector * vectorByteCount + group * bits
                    let end = (vector + 1) * vectorByteCount
                    let first = vector * vectorLength + group * 8
                    store(
                        spread(load(packed, at: start, before: end)), to: codes, at: first,
                        count: min(8, vectorLength - group * 8))
                }
            }
            count = vectors * vectorLength
        }
    }

    /// - Parameter codes: [vectors, vectorLength], each below 2^bits.
    /// - Returns: [vectors, vectorByteCount]; unused bits are 0.
    public func pack(_ codes: UnsafeRawBufferPointer, vectors: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: vectors * vectorByteCount) { packed, count in
            let packed = UnsafeMutableRawBufferPointer(packed)
            for vector in 0..<vectors {
                for group in 0..<(vectorLength + 7) / 8 {
                    let first = vector * vectorLength + group * 8
                    let end = min(first + 8, (vector + 1) * vectorLength)
                    store(
                        gather(load(codes, at: first, before: end)), to: packed, at: vector * vectorByteCount + group * bits,
                        count: min(bits, vectorByteCount - group * bits))
                }
            }
            count = vectors * vectorByteCount
        }
    }

    /// Up to eight bytes, the rest zero (or, inside the buffer, whatever follows).
    @inline(__always)
    private func load(_ buffer: UnsafeRawBufferPointer, at start: Int, before end: Int) -> UInt64 {
        if start + 8 <= end { return buffer.loadUnaligned(fromByteOffset: start, as: UInt64.self) }
        var word: UInt64 = 0
        for offset in 0..<max(0, end - start) { word |= UInt64(buffer[start + offset]) &<< UInt64(8 * offset) }
        return word
    }

    @inline(__always)
    private func store(_ word: UInt64, to buffer: UnsafeMutableRawBufferPointer, at start: Int, count: Int) {
        if count == 8 { return buffer.storeBytes(of: word, toByteOffset: start, as: UInt64.self) }
        for offset in 0..<max(0, count) { buffer[start + offset] = UInt8(truncatingIfNeeded: word &>> UInt64(8 * offset)) }
    }
}
