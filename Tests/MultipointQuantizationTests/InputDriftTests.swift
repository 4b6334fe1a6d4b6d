import MultipointGraph
import SeededNumbers
import XCTest

@testable import MultipointQuantization

/// A layer reads x where the original network has x + d.
final class InputDriftTests: XCTestCase {
    private let (channels, length, patches) = (3, 10, 300)

    private struct Case {
        var x: [Float]
        var original: [Float]
        var w: [Float]
    }

    private func sample(_ seed: UInt64) -> Case {
        var generator = SeededGenerator(seed: seed)
        var (x, original): ([Float], [Float]) = ([], [])
        for _ in 0..<patches {
            let row = generator.normals(length).map { $0 + 0.4 }
            x += row
            // A part of the drift follows from x, a part does not, and a part is constant.
            for k in 0..<length { original.append(row[k] + 0.2 * row[(k + 1) % length] + 0.05 * generator.normal() + 0.1) }
        }
        return Case(x: x, original: original, w: generator.normals(channels * length))
    }

    /// Inputs as a Gemm layer sees them.
    private func accumulated(_ sample: Case) throws -> (moment: SecondMoment, drift: InputDrift) {
        let layer = Layer(name: "fc", operation: .gemm, shape: [channels, length], weights: .float(sample.w), bias: nil)
        var accumulator = try SecondMomentAccumulator(
            layer: layer, expectedPositions: patches, measuresDrift: true, matrixMultiply: multiplyMatrices)
        // In uneven batches.
        for range in [0..<1, 1..<120, 120..<300] {
            let rows = range.lowerBound * length..<range.upperBound * length
            try Array(sample.x[rows]).withUnsafeBufferPointer { x in
                try Array(sample.original[rows]).withUnsafeBufferPointer {
                    try accumulator.add(x, original: $0, shape: [range.count, length])
                }
            }
        }
        let drift = try accumulator.finishDrift()
        return (try accumulator.finish(), drift)
    }

    func testMoments() throws {
        let sample = sample(1)
        let (_, drift) = try accumulated(sample)
        for i in 0..<length {
            var mean = 0.0
            for patch in 0..<patches { mean += Double(sample.original[patch * length + i]) - Double(sample.x[patch * length + i]) }
            XCTAssertEqual(Double(drift.mean[i]), mean / Double(patches), accuracy: 1e-5)
            for j in 0..<length {
                let expected = (0..<patches).reduce(0.0) { sum, patch in
                    let d = Double(sample.original[patch * length + j]) - Double(sample.x[patch * length + j])
                    return sum + Double(sample.x[patch * length + i]) * d
                } / Double(patches)
                XCTAssertEqual(Double(drift.moment[i * length + j]), expected, accuracy: 1e-4)
            }
        }
    }

    /// Mean square of (w' · x + b) − w · (x + d) over the patches.
    private func distance(_ weights: [Float], _ bias: [Float], _ sample: Case) -> Double {
        var sum = 0.0
        for patch in 0..<patches {
            for channel in 0..<channels {
                var y = Double(bias[channel])
                for k in 0..<length {
                    y += Double(weights[channel * length + k]) * Double(sample.x[patch * length + k])
                    y -= Double(sample.w[channel * length + k]) * Double(sample.original[patch * length + k])
                }
                sum += y * y
            }
        }
        return sum / Double(patches)
    }

    /// Without damping the targets are least squares: the residual is uncorrelated with every input. With it they still are far
    /// better than the weights as they were.
    func testTargetsAreLeastSquares() throws {
        let sample = sample(2)
        let (moment, drift) = try accumulated(sample)
        let (targets, means) = try drift.targets(sample.w, channels: channels, moment.centered(), damping: 1e-6, .plain)
        let mean = try XCTUnwrap(moment.mean)
        // The bias takes up the means: of the drift, and of what the weights' change does.
        let bias = (0..<channels).map { channel in
            means[channel] + (0..<length).reduce(0) {
                $0 + (sample.w[channel * length + $1] - targets[channel * length + $1]) * mean[$1]
            }
        }
        let best = distance(targets, bias, sample)
        XCTAssertLessThan(best, 0.15 * distance(sample.w, [Float](repeating: 0, count: channels), sample))
        for k in 0..<length {
            for change in [Float(-0.01), 0.01] {
                var moved = targets
                moved[k] += change
                var shifted = bias
                shifted[0] -= change * mean[k]
                XCTAssertGreaterThan(distance(moved, shifted, sample), best)
            }
        }
        for channel in 0..<channels {
            var shifted = bias
            shifted[channel] += 0.01
            XCTAssertGreaterThan(distance(targets, shifted, sample), best)
        }
        let (dampened, _) = try drift.targets(sample.w, channels: channels, moment.centered(), damping: 0.1, .plain)
        XCTAssertLessThan(distance(dampened, bias, sample), 0.3 * distance(sample.w, [Float](repeating: 0, count: channels), sample))
    }

    /// Rounding at 6 bits for drifted inputs comes nearer to the original outputs than rounding without a look at the drift, with the
    /// bias shifts of either.
    func testRoundingMakesUpForDrift() throws {
        let sample = sample(3)
        let (moment, drift) = try accumulated(sample)
        func left(_ drift: InputDrift?) throws -> Double {
            let rounded = try OutputAwareRounding(
                matrix: sample.w, channels: channels, rowLength: length, secondMoment: moment, drift: drift, algebra: .plain
            ).round(widths: [6])
            return distance((0..<channels).flatMap(rounded.vector), rounded.shifts, sample)
        }
        let (with, without) = (try left(drift), try left(nil))
        XCTAssertLessThan(with, 0.3 * without)
    }

    func testWithoutTheOriginalInputsThereIsAnError() throws {
        let layer = Layer(name: "fc", operation: .gemm, shape: [1, 2], weights: .float([1, 2]), bias: nil)
        var accumulator = try SecondMomentAccumulator(
            layer: layer, expectedPositions: 1, measuresDrift: true, matrixMultiply: multiplyMatrices)
        XCTAssertThrowsError(try [Float(1), 2].withUnsafeBufferPointer { try accumulator.add($0, shape: [1, 2]) }) {
            XCTAssertTrue("\($0)".contains("layer `fc`"), "\($0)")
        }
        XCTAssertThrowsError(try accumulator.finishDrift())
    }
}
