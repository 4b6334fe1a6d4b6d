import DNNL

/// Takes a caller's tensor into the arena as it is. oneDNN's convolutions read whole vectors and so beyond the end of their source;
/// in the arena that is harmless.
struct CopyBytesStep: Step {
    let name: String
    var operation: String { "copy" }
    var implementation: String { "copy" }
    let source: BufferID
    let destination: BufferID
    let byteCount: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundCopyBytes(self) }
}

private final class BoundCopyBytes: BoundStep {
    private let step: CopyBytesStep
    private var source: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: CopyBytesStep) { self.step = step }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        source = addresses[step.source.index]
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        guard let source, let destination else { return }
        destination.copyMemory(from: source, byteCount: step.byteCount)
    }
}
