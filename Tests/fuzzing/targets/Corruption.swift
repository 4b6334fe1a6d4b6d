import SeededNumbers

/// Damage to files that are otherwise sound.
public struct Corruption {
    let target: FuzzTarget
    let originals: [[UInt8]]
    let seed: UInt64

    /// - Parameter originals: at least one.
    public init(_ target: FuzzTarget, of originals: [[UInt8]], seed: UInt64) {
        (self.target, self.originals, self.seed) = (target, originals, seed)
    }

    /// The same for the same number and seed.
    public func file(_ number: Int) -> [UInt8] {
        var random = SeededGenerator(seed: seed ^ UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15)
        var file = originals[number % originals.count]
        for _ in 0...Int.random(in: 0..<2, using: &random) { damage(&file, &random) }
        guard target == .packed, random.chance(0.5), let (header, data) = unframed(file) else { return file }
        return framed(header: withChecksum(header: Array(header), data: data), data: data)
    }

    private func damage(_ file: inout [UInt8], _ random: inout SeededGenerator) {
        guard file.count > 16 else { return }
        switch Int.random(in: 0..<7, using: &random) {
        case 0:
            // Bits here and there, rather near the start, where structure is.
            let end = random.chance(0.5) ? min(file.count, 2048) : file.count
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                file[Int.random(in: 0..<end, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        case 1: file.removeSubrange(Int.random(in: 0..<file.count, using: &random)...)
        case 2:
            // The start of one and the end of another, about where they were.
            let other = originals.randomElement(using: &random) ?? file
            let place = Int.random(in: 0..<file.count, using: &random)
            file = Array(file[..<place] + other.dropFirst(random.chance(0.5) ? place : Int.random(in: 0..<other.count, using: &random)))
        case 3: damageLength(&file, &random)
        case 4:
            let range = stretch(of: file, &random)
            file.insert(contentsOf: file[range], at: range.upperBound)
        case 5:
            let filler: UInt8 = [0, 0xFF, 0x7F, 0x80].randomElement(using: &random) ?? 0
            for place in stretch(of: file, &random) { file[place] = filler }
        default:
            let mutation = random.next()
            file =
                target.mutate(file, seed: mutation) { bytes in
                    guard !bytes.isEmpty else { return }
                    var own = SeededGenerator(seed: mutation)
                    bytes[Int.random(in: bytes.indices, using: &own)] = UInt8.random(in: 0...255, using: &own)
                } ?? file
        }
    }

    private func stretch(of file: [UInt8], _ random: inout SeededGenerator) -> Range<Int> {
        let start = Int.random(in: 0..<file.count, using: &random)
        return start..<min(file.count, start + Int.random(in: 1...256, using: &random))
    }

    /// The header's length; in a protobuf any byte may be a length.
    private func damageLength(_ file: inout [UInt8], _ random: inout SeededGenerator) {
        if target == .packed {
            let wild = wildIntegers.randomElement(using: &random) ?? 0
            let old = file[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let value = random.chance(0.5) ? UInt64(bitPattern: wild) : old &+ UInt64(bitPattern: Int64.random(in: -64...64, using: &random))
            withUnsafeBytes(of: value.littleEndian) { file.replaceSubrange(..<8, with: $0) }
        } else {
            let place = Int.random(in: 0..<file.count, using: &random)
            let length: [UInt8] = random.chance(0.5) ? [0xFF, 0xFF, 0xFF, 0xFF, 0x07] : [UInt8.random(in: 0...255, using: &random)]
            file.replaceSubrange(place..<place + 1, with: length)
        }
    }
}
