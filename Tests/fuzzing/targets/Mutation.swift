import SeededNumbers

/// Changes bytes in place, as libFuzzer's own mutator or a random generator does.
public typealias PlainMutation = (inout [UInt8]) -> Void

extension FuzzTarget {
    /// One random change that keeps the input's structure more often than not. Nil: bytes are changed as they are.
    /// - Parameters:
    ///   - seed: what is changed how depends on this alone.
    ///   - plain: changes bytes that have no structure.
    public func mutate(_ bytes: [UInt8], seed: UInt64, plain: PlainMutation) -> [UInt8]? {
        var random = SeededGenerator(seed: seed)
        switch self {
        case .packed: return mutatedPacked(bytes, &random, plain)
        case .graph: return mutatedGraph(bytes, &random, plain)
        case .onnx: return mutatedONNX(bytes, &random, plain)
        case .npy, .abi: return nil
        }
    }
}

/// Numbers that break arithmetic.
let wildIntegers: [Int64] = [
    0, 1, -1, 2, 3, 4, 7, 8, 16, 64, 127, 128, 255, 256, 1 << 15, 1 << 16, 65_537, 131_586, 131_587, 1 << 20, 1 << 24, 1 << 26, 1 << 30,
    (1 << 31) - 1, 1 << 31, -1 << 31, 1 << 32, 1 << 47, 1 << 48, 1 << 53, 1 << 61, 1 << 62, .max, .max - 1, .min, .min + 1, 999_999_999_999,
]
let wildFloats: [Float] = [
    0, -0.0, 1, -1, 0.5, 1e-3, 1e-38, Float(bitPattern: 1), Float(bitPattern: 1_784_066), Float(bitPattern: 2_140_879), 1e15, 1e18, 3e9, -3e9, 3.4e38, -3.4e38, .infinity, -.infinity, .nan, 16_777_217,
]

private func mutatedPacked(_ file: [UInt8], _ random: inout SeededGenerator, _ plain: PlainMutation) -> [UInt8]? {
    guard let (oldHeader, oldData) = unframed(file), !random.chance(0.05) else { return nil }
    var (header, data) = (Array(oldHeader), Array(oldData))
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<3:
        let count = data.count
        mutateElements(&data, &random, plain)
        // Else the header's offsets would not fit.
        data = Array(data.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - data.count))
    case 3: plain(&header)
    default: header = mutatedJSON(header, &random)
    }
    return framed(header: withChecksum(header: header, data: data), data: data)
}

/// Some numbers among the tensors replaced.
private func mutateElements(_ data: inout [UInt8], _ random: inout SeededGenerator, _ plain: PlainMutation) {
    guard data.count >= 8, random.chance(0.6) else { return plain(&data) }
    for _ in 0...Int.random(in: 0..<3, using: &random) {
        var place = Int.random(in: 0...data.count - 8, using: &random)
        if random.chance(0.7) { place &= ~3 }
        if random.chance(0.7), let value = wildFloats.randomElement(using: &random) {
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.replaceSubrange(place..<place + 4, with: $0) }
        } else if let value = wildIntegers.randomElement(using: &random) {
            withUnsafeBytes(of: value.littleEndian) { data.replaceSubrange(place..<place + 8, with: $0) }
        }
    }
}

private func mutatedGraph(_ bytes: [UInt8], _ random: inout SeededGenerator, _ plain: PlainMutation) -> [UInt8]? {
    if random.chance(0.1) { return nil }
    var bytes = bytes
    // Without this text the layers are sound.
    if !bytes.contains(0), random.chance(0.05) { bytes += [0] + Array(GraphShell.layers.utf8) }
    for _ in 0...Int.random(in: 0..<3, using: &random) { bytes = mutatedJSON(bytes, &random) }
    return bytes
}
