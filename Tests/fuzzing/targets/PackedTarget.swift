import CMultipoint

/// The implementation behind the C header.
import Multipoint

func runPacked(_ bytes: UnsafeRawBufferPointer, _ bounds: FuzzBounds) -> FuzzOutcome {
    var model: OpaquePointer?
    // The ABI wants memory, also for an empty file.
    let nothing: [UInt8] = [0]
    let status = nothing.withUnsafeBufferPointer {
        multipoint_model_open_memory(bytes.baseAddress ?? UnsafeRawPointer($0.baseAddress), bytes.count, nil, &model)
    }
    guard checked(status) else {
        require(model == nil, "a failed call leaves its outputs alone")
        return .refused
    }
    defer { multipoint_model_destroy(model) }
    describe(model)
    guard multipoint_model_has_graph(model) == 1 else { return .read }
    var outcome = FuzzOutcome.read
    for batch in 1...2 where runSession(model, batch: batch, bounds, seed: bytes.count &+ batch) { outcome = .run }
    return outcome
}

/// Whether the call succeeded. A failure has a message and a status of the header; success has none.
func checked(_ status: multipoint_status) -> Bool {
    let message = String(cString: multipoint_last_error())
    require(status.rawValue <= 11, "status \(status.rawValue)")
    require((status == MULTIPOINT_OK) == message.isEmpty, "status \(status.rawValue) with the message `\(message)`")
    require(status != MULTIPOINT_INTERNAL_ERROR, "an internal error: \(message)")
    return status == MULTIPOINT_OK
}

private func describe(_ model: OpaquePointer?) {
    _ = String(cString: multipoint_model_name(model))
    for index in 0...multipoint_model_input_count(model) {
        var info = multipoint_value_info()
        info.struct_size = MemoryLayout<multipoint_value_info>.size
        if checked(multipoint_model_input(model, index, &info)) { _ = String(cString: info.name) }
    }
    for index in 0...multipoint_model_output_count(model) {
        var info = multipoint_value_info()
        info.struct_size = MemoryLayout<multipoint_value_info>.size
        if checked(multipoint_model_output(model, index, &info)) { _ = String(cString: info.name) }
    }
    for index in 0..<multipoint_model_layer_count(model) {
        var info = multipoint_layer_info()
        info.struct_size = MemoryLayout<multipoint_layer_info>.size
        require(checked(multipoint_model_layer(model, index, &info)), "every layer is described")
        var layer: OpaquePointer?
        require(checked(multipoint_layer_from_model(model, info.name, &layer)), "every layer is found by name")
        var rows = multipoint_rows()
        rows.struct_size = MemoryLayout<multipoint_rows>.size
        if checked(multipoint_layer_rows(layer, &rows)) {
            for entry in 0..<rows.row_count * rows.row_length {
                require((-64...64).contains(rows.values[entry]), "row entry \(rows.values[entry])")
            }
        }
        multipoint_layer_destroy(layer)
    }
}

/// Float memory of the caller's, as large as a value.
private func tensorMemory(_ model: OpaquePointer?, batch: Int) -> (shapes: [[Int64]], inputCount: Int) {
    let inputCount = multipoint_model_input_count(model)
    var shapes: [[Int64]] = []
    for index in 0..<inputCount + multipoint_model_output_count(model) {
        var info = multipoint_value_info()
        info.struct_size = MemoryLayout<multipoint_value_info>.size
        let status =
            index < inputCount
            ? multipoint_model_input(model, index, &info) : multipoint_model_output(model, index - inputCount, &info)
        require(checked(status), "every input and output is described")
        let shape = withUnsafeBytes(of: info.dimensions) { $0.bindMemory(to: Int64.self).prefix(Int(info.rank)).map { $0 } }
        shapes.append(shape.map { $0 < 0 ? Int64(batch) : $0 })
    }
    return (shapes, inputCount)
}

private func runSession(_ model: OpaquePointer?, batch: Int, _ bounds: FuzzBounds, seed: Int) -> Bool {
    var options = multipoint_session_options()
    options.struct_size = MemoryLayout<multipoint_session_options>.size
    options.maximum_batch = Int64(batch)
    options.threads = 1
    options.maximum_run_bytes = bounds.runByteCount
    options.maximum_work = bounds.work
    var session: OpaquePointer?
    guard checked(multipoint_session_create(model, &options, &session)) else { return false }
    defer { multipoint_session_destroy(session) }
    let (shapes, inputCount) = tensorMemory(model, batch: batch)
    let memory = shapes.enumerated().map { position, shape -> UnsafeMutableBufferPointer<Float> in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: Int(shape.reduce(1, *)))
        for index in buffer.indices { buffer.initializeElement(at: index, to: inputValue(index, seed: seed &+ position)) }
        return buffer
    }
    let dimensions = shapes.map { shape in
        let buffer = UnsafeMutableBufferPointer<Int64>.allocate(capacity: max(1, shape.count))
        _ = buffer.initialize(from: shape)
        return buffer
    }
    defer {
        memory.forEach { $0.deallocate() }
        dimensions.forEach { $0.deallocate() }
    }
    let tensors = zip(memory, zip(shapes, dimensions)).map { memory, dimensions in
        multipoint_tensor(
            data: memory.baseAddress, byte_count: memory.count * 4, dtype: MULTIPOINT_F32, rank: Int32(dimensions.0.count),
            dimensions: dimensions.1.baseAddress, strides: nil)
    }
    return tensors.withUnsafeBufferPointer { tensors in
        guard let base = tensors.baseAddress else { return false }
        return checked(multipoint_session_run(session, base, inputCount, base + inputCount, tensors.count - inputCount))
    }
}

/// Ordinary numbers, large ones, and those that are none.
func inputValue(_ index: Int, seed: Int) -> Float {
    switch seed & 7 {
    case 0: return index % 5 == 0 ? .nan : 1
    case 1: return index % 3 == 0 ? -.infinity : .infinity
    case 2: return index % 2 == 0 ? 3e38 : -3e38
    case 3: return 0
    default: return Float((index &* 7919 &+ seed) % 256) / 64 - 2
    }
}
