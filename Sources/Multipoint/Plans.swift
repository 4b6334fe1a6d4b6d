import CMultipoint
import DNNL
import MultipointGraph
import MultipointRuntime

/// What a `multipoint_plan` points to.
final class PlanHandle: Sendable {
    let plan: Plan
    let source: TensorExpectation
    let destination: TensorExpectation
    let residual: TensorExpectation?
    let implementations: OwnedText

    init(_ plan: Plan) throws {
        self.plan = plan
        source = TensorExpectation(
            name: "source", type: plan.source.type, shape: plan.sourceShape, layout: plan.source.layout)
        destination = TensorExpectation(
            name: "destination", type: plan.destination.type, shape: plan.destinationShape, layout: plan.destination.layout)
        residual = plan.residual.map {
            TensorExpectation(name: "residual", type: $0.type, shape: plan.destinationShape, layout: $0.layout)
        }
        implementations = try OwnedText(plan.implementations.joined(separator: ", "))
    }
}

@_cdecl("multipoint_plan_create")
public func multipoint_plan_create(
    _ layer: OpaquePointer?, _ options: UnsafePointer<multipoint_plan_options>?, _ plan: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let layer = try required(layer, "layer").object(LayerHandle.self)
        let options = try Multipoint.options(try required(options, "options"), "options")
        let plan = try required(plan, "plan")
        plan.pointee = OpaquePointer(retaining: try PlanHandle(options.plan(for: layer.prepared)))
    }
}

extension multipoint_plan_options {
    fileprivate func plan(for prepared: PreparedLayer) throws -> Plan {
        let layer = prepared.layer
        let residual = try residualPort()
        let destination = try destinationPort(layer)
        let activation = try fusedActivation()
        if destination.type == .int32, residual != nil || activation != nil {
            throw CallError.invalid("`destination_dtype` s32 returns raw row sums: no residual and no activation can be fused to them")
        }
        return try Plan(
            prepared, sourceShape: try sourceShape(layer), source: try sourcePort(prepared), residual: residual,
            destination: destination, activation: activation, threads: Int(threads))
    }

    private func sourceShape(_ layer: Layer) throws(CallError) -> [Int] {
        let batch = self.batch == 0 ? 1 : Int(self.batch)
        let isMatrix = layer.operation == .gemm
        for (name, size) in [("batch", batch), ("height", Int(height)), ("width", Int(width))] where name == "batch" || !isMatrix {
            guard (1...(1 << 31)).contains(size) else { throw .invalid("`\(name)` is \(size); a positive number is expected") }
        }
        return isMatrix ? [batch, layer.inputChannels] : [batch, layer.inputChannels, Int(height), Int(width)]
    }

    private func sourcePort(_ prepared: PreparedLayer) throws(CallError) -> Plan.Port {
        let type = try type(source_dtype, "source_dtype", [.float32, .uint8])
        let own = try quantization(source_scale, source_zero_point, "source") ?? prepared.layer.inputQuantization
        guard own != nil || (type == .float32 && prepared.rows == nil) else {
            throw .invalid("`source_scale` is 0, and layer `\(prepared.layer.name)` does not say its input's scale")
        }
        return Plan.Port(type: type, layout: try layout(source_layout, "source_layout"), quantization: own)
    }

    private func destinationPort(_ layer: Layer) throws(CallError) -> Plan.Port {
        let type = try type(destination_dtype, "destination_dtype", [.float32, .uint8, .int32])
        let own = try quantization(destination_scale, destination_zero_point, "destination") ?? layer.outputQuantization
        guard type != .uint8 || own != nil else {
            throw .invalid("`destination_scale` is 0, and layer `\(layer.name)` does not say its output's scale")
        }
        return Plan.Port(
            type: type, layout: try layout(destination_layout, "destination_layout"), quantization: type == .uint8 ? own : nil)
    }

    private func residualPort() throws(CallError) -> Plan.Port? {
        if residual_dtype == MULTIPOINT_DTYPE_NONE { return nil }
        let type = try type(residual_dtype, "residual_dtype", [.float32, .uint8])
        let own = try quantization(residual_scale, residual_zero_point, "residual")
        guard type != .uint8 || own != nil else { throw .invalid("`residual_scale` is 0; a u8 residual needs its scale") }
        return Plan.Port(
            type: type, layout: try layout(destination_layout, "destination_layout"), quantization: type == .uint8 ? own : nil)
    }

    private func type(_ dtype: multipoint_dtype, _ name: String, _ allowed: [ElementType]) throws(CallError) -> ElementType {
        if dtype == MULTIPOINT_DTYPE_NONE { return .float32 }
        guard let type = dtype.elementType, allowed.contains(type) else {
            throw .invalid("`\(name)` is \(dtype.rawValue); \(allowed.map(\.name).joined(separator: " or ")) is expected")
        }
        return type
    }

    private func layout(_ layout: multipoint_layout, _ name: String) throws(CallError) -> Layout {
        switch layout {
        case MULTIPOINT_NCHW: return .dense
        case MULTIPOINT_NHWC: return .channelsLast
        default: throw .invalid("`\(name)` is \(layout.rawValue); MULTIPOINT_NCHW or MULTIPOINT_NHWC is expected")
        }
    }

    private func fusedActivation() throws(CallError) -> Elementwise? {
        switch activation {
        case MULTIPOINT_IDENTITY: return nil
        case MULTIPOINT_RELU: return .relu
        case MULTIPOINT_SIGMOID: return .sigmoid
        case MULTIPOINT_LEAKY_RELU:
            guard activation_alpha.isFinite else { throw .invalid("`activation_alpha` is \(activation_alpha)") }
            return .leakyRelu(alpha: activation_alpha)
        case MULTIPOINT_CLIP:
            guard activation_alpha <= activation_beta else {
                throw .invalid("`activation_alpha` \(activation_alpha) is not at most `activation_beta` \(activation_beta)")
            }
            return .clip(minimum: activation_alpha, maximum: activation_beta)
        default: throw .invalid("`activation` is \(activation.rawValue); a multipoint_activation is expected")
        }
    }
}

@_cdecl("multipoint_plan_destroy")
public func multipoint_plan_destroy(_ plan: OpaquePointer?) { plan?.release(PlanHandle.self) }

@_cdecl("multipoint_plan_workspace_size")
public func multipoint_plan_workspace_size(_ plan: OpaquePointer?) -> Int {
    plan?.object(PlanHandle.self).plan.workspaceByteCount ?? 0
}

@_cdecl("multipoint_plan_describe")
public func multipoint_plan_describe(
    _ plan: OpaquePointer?, _ info: UnsafeMutablePointer<multipoint_plan_info>?
) -> multipoint_status {
    call {
        let handle = try required(plan, "plan").object(PlanHandle.self)
        try fill(info, "info") {
            var info = multipoint_plan_info()
            info.rank = Int32(clamping: handle.plan.sourceShape.count)
            assign(&info.source_dimensions, handle.plan.sourceShape)
            assign(&info.destination_dimensions, handle.plan.destinationShape)
            info.workspace_bytes = UInt64(handle.plan.workspaceByteCount)
            info.threads = Int32(clamping: handle.plan.threads)
            info.implementations = handle.implementations.pointer
            return info
        }
    }
}

@_cdecl("multipoint_plan_execute")
public func multipoint_plan_execute(
    _ plan: OpaquePointer?, _ source: UnsafePointer<multipoint_tensor>?, _ residual: UnsafePointer<multipoint_tensor>?,
    _ destination: UnsafePointer<multipoint_tensor>?, _ workspace: UnsafeMutableRawPointer?
) -> multipoint_status {
    call {
        let handle = try required(plan, "plan").object(PlanHandle.self)
        try handle.execute(
            try required(source, "source").pointee, residual?.pointee, try required(destination, "destination").pointee, workspace)
    }
}

extension PlanHandle {
    fileprivate func execute(
        _ source: multipoint_tensor, _ residual: multipoint_tensor?, _ destination: multipoint_tensor,
        _ workspace: UnsafeMutableRawPointer?
    ) throws {
        let from = try source.checked(self.source)
        let to = try destination.checked(self.destination)
        guard !to.overlaps(from) else { throw CallError.invalid("destination overlaps source") }
        var addend: CheckedTensor?
        switch (residual, self.residual) {
        case (let given?, let expected?):
            let checked = try given.checked(expected)
            guard !to.overlaps(checked) else { throw CallError.invalid("destination overlaps residual") }
            addend = checked
        case (nil, nil): break
        case (nil, _?): throw CallError.invalid("`residual` is NULL, and the plan adds one")
        case (_?, nil): throw CallError.invalid("`residual` is given, and the plan adds none")
        }
        try check(workspace, apartFrom: from, to, addend)
        try plan.execute(source: from.data, residual: addend?.data, destination: to.data, workspace: workspace)
    }

    private func check(
        _ workspace: UnsafeMutableRawPointer?, apartFrom source: CheckedTensor, _ destination: CheckedTensor,
        _ residual: CheckedTensor?
    ) throws(CallError) {
        guard let workspace else { return }
        guard Int(bitPattern: workspace) % AlignedBuffer.alignment == 0 else {
            throw .invalid("`workspace` is not aligned to \(AlignedBuffer.alignment) bytes")
        }
        guard !UInt(bitPattern: workspace).addingReportingOverflow(UInt(plan.workspaceByteCount)).overflow else {
            throw .invalid("`workspace` reaches beyond the address space")
        }
        let memory = CheckedTensor(data: workspace, byteCount: plan.workspaceByteCount, layout: .dense)
        guard !memory.overlaps(source), !memory.overlaps(destination), !(residual.map(memory.overlaps) ?? false) else {
            throw .invalid("`workspace` overlaps a tensor")
        }
    }
}
