import CElementwise
import SeededNumbers
import XCTest

@testable import MultipointRuntime

/// The pass that sums rows, in every width of vectors that the machine has, against a loop over single elements.
final class SumRowsTests: XCTestCase {
    private struct Case {
        var (channels, positions): (Int, Int)
        var extraChannels: [Int32] = []
        var rows: [Float] = []
        var term: [Float] = []
        var bias: [Float] = []
        var bytes: [UInt8] = []
        var floats: [Float] = []

        init(_ generator: inout SeededGenerator) {
            (channels, positions) = (Int.random(in: 1...70, using: &generator), Int.random(in: 1...5, using: &generator))
            // Up to three further rows, by position in the channel.
            let depths = (0..<channels).map { _ in Int.random(in: 0...3, using: &generator) }
            for depth in 0..<3 { extraChannels += depths.indices.filter { depths[$0] > depth }.map { Int32($0) } }
            func random(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -30...30, using: &generator) } }
            rows = random(positions * stride + 16)
            rows[0] = [.nan, .infinity, -.infinity, 1e30].randomElement(using: &generator) ?? 0
            term = random(positions * (channels + 3) + 16)
            bias = random(channels + 16)
            floats = random(positions * channels)
            bytes = (0..<(positions * channels)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }

        var stride: Int { channels + extraChannels.count }

        func sum(_ p: Int, _ c: Int) -> Float {
            var value = rows[p * stride + c]
            for (extra, channel) in extraChannels.enumerated() where Int(channel) == c { value += rows[p * stride + channels + extra] }
            return value + term[p * (channels + 3) + c] + bias[c]
        }
    }

    private func results(_ these: Case, _ addend: multipoint_addend, isFloat: Bool, _ vectors: multipoint_vectors) -> [Float] {
        let groups = ExtraRowGroups(channels: these.channels, extraChannels: these.extraChannels)
        let count = these.positions * these.channels
        var (stored, real) = ([UInt8](repeating: 0, count: count), [Float](repeating: 0, count: count))
        these.rows.withUnsafeBufferPointer { rows in
            these.term.withUnsafeBufferPointer { term in
                let terms = [term.baseAddress]
                var sum = multipoint_row_sum()
                sum.channels = these.channels
                (sum.rows, sum.row_stride) = (rows.baseAddress, these.stride)
                sum.term_count = 1
                (sum.addend_type, sum.addend_scale, sum.addend_zero_point) = (addend, 0.25, 7)
                (sum.activation, sum.low, sum.high) = (MULTIPOINT_CLAMP, -8, 40)
                sum.is_float = isFloat ? 1 : 0
                sum.quantizer = multipoint_quantizer(inverse_scale: 4, zero_point: 30)
                groups.extras.withUnsafeBufferPointer { sum.extras = $0.baseAddress
                    groups.starts.withUnsafeBufferPointer { sum.group_starts = $0.baseAddress
                        terms.withUnsafeBufferPointer { sum.terms = $0.baseAddress
                            [these.channels + 3].withUnsafeBufferPointer { sum.term_strides = $0.baseAddress
                                these.bias.withUnsafeBufferPointer { sum.bias = $0.baseAddress
                                    these.bytes.withUnsafeBytes { bytes in
                                        these.floats.withUnsafeBytes { floats in
                                            sum.addend = addend == MULTIPOINT_ADDEND_U8 ? bytes.baseAddress : floats.baseAddress
                                            stored.withUnsafeMutableBytes { stored in
                                                real.withUnsafeMutableBytes { real in
                                                    sum.destination = isFloat ? real.baseAddress : stored.baseAddress
                                                    elementwise_sum_rows(&sum, 0, these.positions, vectors)
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return isFloat ? real : stored.map { Float($0) }
    }

    private func expected(_ these: Case, _ addend: multipoint_addend, isFloat: Bool) -> [Float] {
        (0..<(these.positions * these.channels)).map { index in
            var value = these.sum(index / these.channels, index % these.channels)
            if addend == MULTIPOINT_ADDEND_U8 { value += 0.25 * (Float(these.bytes[index]) - 7) }
            if addend == MULTIPOINT_ADDEND_F32 { value += these.floats[index] }
            if value < -8 { value = -8 }
            if value > 40 { value = 40 }
            if isFloat { return value }
            return value.isNaN ? 0 : max(0, min(255, (value * 4).rounded(.toNearestOrEven) + 30))
        }
    }

    func testEveryWidthOfVectorsGivesTheSameBits() {
        var generator = SeededGenerator(seed: 11)
        let widths = [MULTIPOINT_SCALARS, MULTIPOINT_AVX2, MULTIPOINT_AVX512].filter { $0.rawValue <= elementwise_widest_vectors().rawValue }
        for number in 0..<200 {
            let these = Case(&generator)
            for addend in [MULTIPOINT_ADDEND_NONE, MULTIPOINT_ADDEND_U8, MULTIPOINT_ADDEND_F32] {
                for isFloat in [false, true] {
                    let expected = expected(these, addend, isFloat: isFloat).map(\.bitPattern)
                    for width in widths {
                        let found = results(these, addend, isFloat: isFloat, width).map(\.bitPattern)
                        // A NaN's bits may differ in sign.
                        let same = zip(found, expected).allSatisfy { $0 == $1 || (Float(bitPattern: $0).isNaN && Float(bitPattern: $1).isNaN) }
                        XCTAssertTrue(same, "case \(number), \(these.channels) channels, addend \(addend), vectors \(width)")
                    }
                }
            }
        }
    }
}
