import CElementwise
import DNNL
import MultipointGraph

/// A function of single 8-bit values, as a table of its 256 results: another quantization, an activation that follows no layer.
struct LookUpStep: Step {
    let name: String
    let operation: String
    var implementation: String { "table" }
    let source: BufferID
    let destination: BufferID
    let count: Int
    let table: [UInt8]
    let threads: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundLookUp(self) }

    /// - Parameter function: of real values.
    static func table(
        from source: AffineQuantization, to destination: AffineQuantization, _ function: (Float) -> Float = { $0 }
    ) -> [UInt8] {
        (0..<256).map { stored in
            let real = Double(function(source.scale * Float(stored - Int(source.zeroPoint))))
            let rounded = (real / Double(destination.scale)).rounded(.toNearestOrEven) + Double(destination.zeroPoint)
            return UInt8(max(0, min(255, rounded.isNaN ? 0 : rounded)))
        }
    }
}

private final class BoundLookUp: BoundLoop {
    private let table: CArray<UInt8>

    init(_ step: LookUpStep) {
        table = CArray((0..<256).map { step.table.indices.contains($0) ? step.table[$0] : 0 })
        super.init(step.buffers, pieces: step.count, work: step.count, leastWork: 65_536, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        guard let source = bytes(0), let destination = bytes(1) else { return }
        elementwise_look_up(table.base, source + share.lowerBound, destination + share.lowerBound, share.count)
    }
}
