import MultipointGraph

@testable import MultipointRuntime

/// Every value that a compiled network keeps, against the network's own operations applied one by one, in double precision, to the
/// values that it was made of. Errors do not add up along the network: each value is measured by itself.
struct NetworkComparison {
    struct Difference {
        var value: String
        var node: Node
        /// Of values in 8 bits.
        var quantization: AffineQuantization?
        /// How many elements there are, and how many the reference makes of the same operands.
        var counts: (found: Int, expected: Int)
        /// In 8 bits: the largest distance from the real value, as far as 8 bits reach, in steps.
        /// In float: the largest distance, as a part of the largest real value.
        var largest: Double
        /// The same as a part of what is allowed. In 8 bits that is half a step, and a little for rounding to float before.
        /// In float, for each element, 1e-5 of 1 + |real value|.
        var ofAllowed: Double

        var isAccepted: Bool { counts.found == counts.expected && ofAllowed <= 1 }
    }

    private(set) var differences: [Difference] = []
    /// Layers whose result, with what is fused to it, is among the values.
    let layers: Set<String>
    let steps: [(name: String, implementation: String)]

    /// - Parameter reference: whose operations to apply, if not those of the network itself.
    init(_ network: Network, reference other: Network? = nil, inputs: [[Float]], batch: Int, threads: Int) throws {
        let run = try TracedRun(network, inputs: inputs, batch: batch, threads: threads)
        let shapes = try network.shapes(batch: batch)
        let reference = ReferenceNetwork(network: other ?? network, shapes: shapes)
        // Of values that fusion left no place for, the reference; of the others what the network has.
        var sources = run.kept.mapValues(\.values)
        for node in network.nodes {
            let expected = reference.value(of: node, node.inputs.map { sources[$0] ?? [] })
            if let found = run.kept[node.output] {
                differences.append(Difference(node, found, expected))
            } else {
                sources[node.output] = expected
            }
        }
        layers = Set(network.layerResults(shapes: shapes).filter { run.kept[$0.value] != nil }.map(\.layer))
        steps = run.program.steps.map { ($0.name, $0.implementation) }
    }
}

extension NetworkComparison.Difference {
    fileprivate init(_ node: Node, _ found: TracedRun.Kept, _ expected: [Double]) {
        (value, self.node, quantization) = (node.output, node, found.quantization)
        counts = (found.values.count, expected.count)
        (largest, ofAllowed) = (0, 0)
        let size = max(expected.reduce(0) { max($0, abs($1)) }, .leastNormalMagnitude)
        let unit = found.quantization.map { Double($0.scale) } ?? size
        for (found, expected) in zip(found.values, expected) {
            let distance = abs(found - (quantization?.nearest(to: expected) ?? expected))
            // Not `max`, which passes over what is not a number.
            guard distance.isFinite else {
                (largest, ofAllowed) = (.infinity, .infinity)
                return
            }
            largest = max(largest, distance / unit)
            ofAllowed = max(ofAllowed, distance / (quantization == nil ? 1e-5 * (1 + abs(expected)) : 0.505 * unit))
        }
    }
}

extension AffineQuantization {
    /// The nearest of the real numbers between the first step and the last.
    fileprivate func nearest(to real: Double) -> Double {
        let (low, high) = (-Double(zeroPoint) * Double(scale), Double(255 - Int(zeroPoint)) * Double(scale))
        return max(low, min(high, real))
    }
}
