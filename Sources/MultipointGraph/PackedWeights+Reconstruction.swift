extension PackedWeights {
    /// ŵ from at most the first `count` points of every channel: [channels, rowLength]. Summed in double precision.
    public func reconstruction(points count: Int = 255) -> [Float] {
        var sums = [Double](repeating: 0, count: channels * rowLength)
        var scale = 0
        // Of every level, the vectors that are behind.
        var vectors = [Int](repeating: 0, count: levels.count)
        let codes = levels.map(\.codes)
        for (channel, points) in points.enumerated() {
            for level in 0..<Int(points) {
                if level < count {
                    let a = ladder == nil ? Double(scales[scale + level]) : Double(scales[channel]) * ratio(level, of: Int(points))
                    add(level, codes[level], vector: vectors[level], times: a, to: &sums, channel)
                }
                vectors[level] += 1
            }
            scale += Int(points)
        }
        return sums.map { Float($0) }
    }

    /// The scale of a level's point over that of the last one of a channel with so many.
    private func ratio(_ level: Int, of points: Int) -> Double {
        (ladder ?? []).prefix(max(0, points - 1)).dropFirst(level).reduce(1) { $0 * Double($1) }
    }

    private func add(_ level: Int, _ codes: [UInt8], vector: Int, times a: Double, to sums: inout [Double], _ channel: Int) {
        let codebook = levels[level].codebook
        for k in 0..<rowLength {
            sums[channel * rowLength + k] += a * Double(codebook[Int(codes[vector * rowLength + k])])
        }
    }
}
