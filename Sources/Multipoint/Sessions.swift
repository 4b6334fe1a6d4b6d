import CMultipoint
import Headroom
import MultipointGraph
import MultipointRuntime

/// What a `multipoint_session` points to.
final class SessionHandle {
    let session: Session
    let inputs: [TensorExpectation]
    let outputs: [TensorExpectation]
    let steps: [(name: OwnedText, operation: OwnedText, implementation: OwnedText)]
    /// Texts of steps that were profiled, each once.
    private var texts: [String: OwnedText] = [:]

    init(_ session: Session) throws {
        self.session = session
        let network = session.prepared.network
        inputs = network.inputs.map { TensorExpectation($0, "input") }
        outputs = network.outputs.map { TensorExpectation($0, "output") }
        steps = try session.steps.map { (try OwnedText($0.name), try OwnedText($0.operation), try OwnedText($0.implementation)) }
    }

    /// A C string that lives with the session.
    func kept(_ text: String) throws(OutOfMemory) -> UnsafePointer<CChar> {
        if let known = texts[text] { return known.pointer }
        let made = try OwnedText(text)
        texts[text] = made
        return made.pointer
    }
}

extension multipoint_session_options {
    fileprivate func limits(_ model: Model, _ network: PreparedNetwork, batch: Int) -> SessionLimits {
        var limits = SessionLimits(storedByteCount: model.storedByteCount, inputCount: network.inputCount(batch: batch))
        if let given = limit(maximum_run_bytes) { limits.runByteCount = given }
        if let given = limit(maximum_work) { limits.work = given }
        return limits
    }
}

extension TensorExpectation {
    fileprivate init(_ value: ValueInfo, _ what: String) {
        self.init(
            name: "\(what) `\(value.name)`", type: .float32,
            shape: value.shape.map { if case .fixed(let size) = $0 { size } else { nil } }, layout: nil)
    }
}

@_cdecl("multipoint_session_create")
public func multipoint_session_create(
    _ model: OpaquePointer?, _ options: UnsafePointer<multipoint_session_options>?,
    _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let model = try required(model, "model").object(Model.self)
        let session = try required(session, "session")
        var chosen = multipoint_session_options()
        if let options { chosen = try Multipoint.options(options, "options", smallest: 24) }
        guard let network = model.network else {
            throw CallError(MULTIPOINT_UNSUPPORTED, "the model holds weights only: it has no graph to run; use layers and plans")
        }
        let batch = chosen.maximum_batch == 0 ? 1 : Int(chosen.maximum_batch)
        let made = try Session(
            network, maximumBatch: batch, threads: Int(chosen.threads), limits: chosen.limits(model, network, batch: batch))
        session.pointee = OpaquePointer(retaining: try SessionHandle(made))
    }
}

@_cdecl("multipoint_session_destroy")
public func multipoint_session_destroy(_ session: OpaquePointer?) { session?.release(SessionHandle.self) }

@_cdecl("multipoint_session_run")
public func multipoint_session_run(
    _ session: OpaquePointer?, _ inputs: UnsafePointer<multipoint_tensor>?, _ inputCount: Int,
    _ outputs: UnsafePointer<multipoint_tensor>?, _ outputCount: Int
) -> multipoint_status {
    call {
        let handle = try required(session, "session").object(SessionHandle.self)
        guard inputCount == handle.inputs.count else {
            throw CallError.invalid("`input_count`: \(handle.inputs.count) inputs expected, found \(UInt(bitPattern: inputCount))")
        }
        guard outputCount == handle.outputs.count else {
            throw CallError.invalid("`output_count`: \(handle.outputs.count) outputs expected, found \(UInt(bitPattern: outputCount))")
        }
        try handle.run(try required(inputs, "inputs"), try required(outputs, "outputs"))
    }
}

extension SessionHandle {
    /// Checks every tensor, then runs. Nothing is allocated unless there is something to report or to compile.
    fileprivate func run(_ sources: UnsafePointer<multipoint_tensor>, _ destinations: UnsafePointer<multipoint_tensor>) throws {
        let count = inputs.count + outputs.count
        try withUnsafeTemporaryAllocation(of: CheckedTensor.self, capacity: count) { checked in
            try withUnsafeTemporaryAllocation(of: ExternalTensor.self, capacity: count) { externals in
                var batch: Int?
                for index in 0..<count {
                    let isInput = index < inputs.count
                    let position = isInput ? index : index - inputs.count
                    let expectation = isInput ? inputs[position] : outputs[position]
                    let given = isInput ? sources[position] : destinations[position]
                    let tensor = try given.checked(expectation)
                    try expectation.agree(&batch, given)
                    checked.initializeElement(at: index, to: tensor)
                    externals.initializeElement(at: index, to: ExternalTensor(data: tensor.data, layout: tensor.layout))
                }
                try refuseOverlaps(checked)
                try session.run(
                    batch: batch ?? 1, inputs: UnsafeBufferPointer(rebasing: externals[..<inputs.count]),
                    outputs: UnsafeBufferPointer(rebasing: externals[inputs.count...]))
            }
        }
    }

    private func refuseOverlaps(_ checked: UnsafeMutableBufferPointer<CheckedTensor>) throws(CallError) {
        for output in inputs.count..<checked.count {
            for other in 0..<output where checked[output].overlaps(checked[other]) {
                let name = other < inputs.count ? inputs[other].name : outputs[other - inputs.count].name
                throw .invalid("\(outputs[output - inputs.count].name) overlaps \(name)")
            }
        }
    }
}

extension TensorExpectation {
    /// The batch size is the same in all tensors.
    fileprivate func agree(_ batch: inout Int?, _ tensor: multipoint_tensor) throws(CallError) {
        for (axis, size) in shape.enumerated() where size == nil {
            guard let dimensions = tensor.dimensions else { return }
            let found = Int(dimensions[axis])
            if let batch, batch != found { throw .invalid("\(name): batch \(batch) expected, as in the tensors before it, found \(found)") }
            batch = found
        }
    }
}

@_cdecl("multipoint_session_describe")
public func multipoint_session_describe(
    _ session: OpaquePointer?, _ info: UnsafeMutablePointer<multipoint_session_info>?
) -> multipoint_status {
    call {
        let handle = try required(session, "session").object(SessionHandle.self)
        try fill(info, "info") {
            multipoint_session_info(
                struct_size: 0, maximum_batch: Int64(handle.session.maximumBatch), threads: Int32(clamping: handle.session.threads),
                arena_bytes: UInt64(handle.session.arenaByteCount), step_count: handle.steps.count,
                weight_bytes: UInt64(handle.session.weightByteCount))
        }
    }
}

@_cdecl("multipoint_session_step")
public func multipoint_session_step(
    _ session: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<multipoint_step_info>?
) -> multipoint_status {
    call {
        let handle = try required(session, "session").object(SessionHandle.self)
        try fill(info, "info") {
            let step = try element(handle.steps, index, "step")
            return multipoint_step_info(
                struct_size: 0, name: step.name.pointer, operation: step.operation.pointer,
                implementation: step.implementation.pointer)
        }
    }
}
