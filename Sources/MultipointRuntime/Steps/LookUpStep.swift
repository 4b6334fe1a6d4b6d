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

private final class BoundLookUp: BoundStep {
    private let step: LookUpStep
    private let table: UnsafeMutablePointer<UInt8>
    private var source: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: LookUpStep) {
        self.step = step
        table = .allocate(capacity: 256)
        for value in 0..<256 { (table + value).initialize(to: step.table.indices.contains(value) ? step.table[value] : 0) }
    }

    deinit { table.deallocate() }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        source = addresses[step.source.index]
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small tensors are not worth waking the other threads.
        let threads = step.count >= 65_536 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            Unmanaged<BoundLookUp>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    private func runPart() {
        guard let source, let destination else { return }
        let share = Threads.share(of: step.count)
        elementwise_look_up(
            table, (source + share.lowerBound).assumingMemoryBound(to: UInt8.self),
            (destination + share.lowerBound).assumingMemoryBound(to: UInt8.self), share.count)
    }
}
