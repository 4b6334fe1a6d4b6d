extension PackedWeights {
    /// Reads vectors of codebook values, adding them up level by level. Immutable; for any number of threads.
    public struct VectorReader: Sendable {
        private let levels: [LevelReader]
        /// Vectors are written in groups of eight: a buffer for one has this many elements.
        public let paddedLength: Int

        public init(_ weights: PackedWeights) {
            levels = weights.levels.map { LevelReader($0, length: weights.rowLength) }
            paddedLength = (weights.rowLength + 7) / 8 * 8
        }

        /// `vector ← ratio · vector + q`, where `q` is a level's vector of codebook values; `vector ← q` with ratio 0. Elements beyond
        /// the row's length are undefined.
        public func add(level: Int, vector index: Int, ratio: Int16, to vector: UnsafeMutablePointer<Int16>) {
            levels[level].add(vector: index, ratio: ratio, groups: paddedLength / 8, to: vector)
        }
    }

    /// One level's codes and what they stand for.
    private struct LevelReader: Sendable {
        let storage: Level.Codes
        let length: Int
        /// 256 values, so that no code is out of range.
        let values: [Int16]
        /// Value = first + step · code, if the codebook is so; that is computed eight at a time.
        let progression: (first: Int16, step: Int16)?

        init(_ level: Level, length: Int) {
            storage = level.storage
            self.length = length
            let codebook = level.codebook.map { Int16($0) }
            values = codebook + [Int16](repeating: 0, count: max(0, 256 - codebook.count))
            let first = codebook.first ?? 0
            let step = codebook.count > 1 ? codebook[1] - first : 0
            let isProgression = codebook.enumerated().allSatisfy { Int($0.element) == Int(first) + $0.offset * Int(step) }
            progression = isProgression ? (first, step) : nil
        }

        func add(vector index: Int, ratio: Int16, groups: Int, to vector: UnsafeMutablePointer<Int16>) {
            switch storage {
            case .packed(let bytes, let packing, _):
                bytes.withUnsafeBytes { bytes in
                    add(ratio: ratio, groups: groups, to: vector) { packing.codes(bytes, vector: index, group: $0) }
                }
            case .unpacked(let codes):
                codes.withUnsafeBufferPointer { codes in
                    let start = index * length
                    add(ratio: ratio, groups: groups, to: vector) { group in
                        var eight = SIMD8<UInt8>()
                        for lane in 0..<min(8, length - 8 * group) { eight[lane] = codes[start + 8 * group + lane] }
                        return eight
                    }
                }
            }
        }

        @inline(__always)
        private func add(
            ratio: Int16, groups: Int, to vector: UnsafeMutablePointer<Int16>, _ codes: (Int) -> SIMD8<UInt8>
        ) {
            let target = UnsafeMutableRawPointer(vector).assumingMemoryBound(to: SIMD8<Int16>.self)
            if let (first, step) = progression {
                for group in 0..<groups {
                    let q = SIMD8<Int16>(truncatingIfNeeded: codes(group)) &* step &+ first
                    target[group] = ratio == 0 ? q : target[group] &* ratio &+ q
                }
            } else {
                values.withUnsafeBufferPointer { values in
                    for group in 0..<groups {
                        let eight = codes(group)
                        var q = SIMD8<Int16>()
                        for lane in 0..<8 { q[lane] = values[Int(eight[lane])] }
                        target[group] = ratio == 0 ? q : target[group] &* ratio &+ q
                    }
                }
            }
        }
    }
}
