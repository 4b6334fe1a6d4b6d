import CMultipoint
import MultipointRuntime

@_cdecl("multipoint_session_start_profile")
public func multipoint_session_start_profile(_ session: OpaquePointer?) -> multipoint_status {
    call { try required(session, "session").object(SessionHandle.self).session.startProfiling() }
}

@_cdecl("multipoint_session_stop_profile")
public func multipoint_session_stop_profile(_ session: OpaquePointer?) -> multipoint_status {
    call { try required(session, "session").object(SessionHandle.self).session.stopProfiling() }
}

@_cdecl("multipoint_session_profile")
public func multipoint_session_profile(
    _ session: OpaquePointer?, _ info: UnsafeMutablePointer<multipoint_profile_info>?
) -> multipoint_status {
    call {
        let handle = try required(session, "session").object(SessionHandle.self)
        try fill(info, "info") {
            guard let profile = handle.session.profile, profile.runs > 0 else { return multipoint_profile_info() }
            return multipoint_profile_info(
                struct_size: 0, batch: Int64(profile.batch), runs: Int64(profile.runs),
                seconds: profile.steps.reduce(0) { $0 + $1.seconds }, step_count: profile.steps.count)
        }
    }
}

@_cdecl("multipoint_session_profile_step")
public func multipoint_session_profile_step(
    _ session: OpaquePointer?, _ index: Int, _ step: UnsafeMutablePointer<multipoint_step_profile>?
) -> multipoint_status {
    call {
        let handle = try required(session, "session").object(SessionHandle.self)
        try fill(step, "step") {
            let profile = handle.session.profile
            let step = try element(profile.map { $0.runs > 0 ? $0.steps : [] } ?? [], index, "profiled step")
            return multipoint_step_profile(
                struct_size: 0, name: try handle.kept(step.name), operation: try handle.kept(step.operation),
                implementation: try handle.kept(step.implementation), kind: step.kind.code, seconds: step.seconds,
                minimum_seconds: step.minimumSeconds, operations: UInt64(step.operations), bytes: UInt64(step.bytes))
        }
    }
}

extension StepKind {
    fileprivate var code: multipoint_step_kind {
        switch self {
        case .layer: MULTIPOINT_STEP_LAYER
        case .sum: MULTIPOINT_STEP_SUM
        case .conversion: MULTIPOINT_STEP_CONVERSION
        case .operation: MULTIPOINT_STEP_OPERATION
        }
    }
}
