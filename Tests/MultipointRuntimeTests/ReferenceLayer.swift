import MultipointGraph

/// What a packed layer means, by plain loops over the file's own words: codes, codebooks, ladders, scales.
struct ReferenceLayer {
    /// For every channel its scaled integer vectors, one per point, or one for a whole ladder.
    var vectors: [[(scale: Double, entries: [Int64])]]

    init(_ packed: PackedWeights) {
        var used = [Int](repeating: 0, count: packed.levels.count)
        var nextScale = 0
        // Once: they are kept packed.
        let codes = packed.levels.map(\.codes)
        vectors = []
        for points in packed.points.map({ Int($0) }) {
            var channel: [(scale: Double, entries: [Int64])] = []
            var folded = [Int64](repeating: 0, count: packed.rowLength)
            for level in 0..<points {
                let start = used[level] * packed.rowLength
                used[level] += 1
                let entries = (0..<packed.rowLength).map {
                    Int64(packed.levels[level].codebook[Int(codes[level][start + $0])])
                }
                if let ladder = packed.ladder {
                    // A point counts as many times its finest scale as the ratios below it multiply to, within this channel.
                    let ratio = ladder[level..<(points - 1)].reduce(1, *)
                    for index in entries.indices { folded[index] += entries[index] * Int64(ratio) }
                } else {
                    channel.append((Double(packed.scales[nextScale]), entries))
                    nextScale += 1
                }
            }
            if packed.ladder != nil {
                if points > 0 { channel = [(Double(packed.scales[nextScale]), folded)] }
                nextScale += 1
            }
            vectors.append(channel)
        }
    }

    /// Calls `body(output index, channel, pairs)` for each output element; pairs are (index in the vector, x − z), padding left out.
    static func forEachOutput(
        _ random: RandomLayer, _ input: [UInt8], _ zeroPoint: Int64, _ outputShape: [Int],
        _ body: (Int, Int, [(Int, Int64)]) -> Void
    ) {
        if random.layer.operation == .gemm {
            let features = random.inputShape[1]
            for row in 0..<outputShape[0] {
                let pairs = (0..<features).map { ($0, Int64(input[row * features + $0]) - zeroPoint) }
                for channel in 0..<outputShape[1] { body(row * outputShape[1] + channel, channel, pairs) }
            }
            return
        }
        let (shape, attributes) = (random.layer.shape, random.attributes)
        let (channels, height, width) = (random.inputShape[1], random.inputShape[2], random.inputShape[3])
        var output = 0
        for n in 0..<outputShape[0] {
            for o in 0..<outputShape[1] {
                let firstInput = o / (shape[0] / attributes.group) * shape[1]
                for y in 0..<outputShape[2] {
                    for x in 0..<outputShape[3] {
                        var pairs: [(Int, Int64)] = []
                        for i in 0..<shape[1] {
                            for ky in 0..<shape[2] {
                                for kx in 0..<shape[3] {
                                    let iy = y * attributes.strides[0] - attributes.pads[0] + ky * attributes.dilations[0]
                                    let ix = x * attributes.strides[1] - attributes.pads[1] + kx * attributes.dilations[1]
                                    guard (0..<height).contains(iy), (0..<width).contains(ix) else { continue }
                                    let index = ((n * channels + firstInput + i) * height + iy) * width + ix
                                    pairs.append(((i * shape[2] + ky) * shape[3] + kx, Int64(input[index]) - zeroPoint))
                                }
                            }
                        }
                        body(output, o, pairs)
                        output += 1
                    }
                }
            }
        }
    }
}
