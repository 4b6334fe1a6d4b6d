import CMultipoint
import Multipoint
import XCTest

/// `@_cdecl` does not compare an implementation with the header. Here the compiler does: both arguments of `same` must have one type.
final class SignatureTests: XCTestCase {
    private func same<T>(_ declared: T, _ implemented: T) {}

    func testImplementationsHaveTheTypesThatTheHeaderDeclares() {
        same(CMultipoint.multipoint_version, Multipoint.multipoint_version)
        same(CMultipoint.multipoint_version_number, Multipoint.multipoint_version_number)
        same(CMultipoint.multipoint_build_info, Multipoint.multipoint_build_info)
        same(CMultipoint.multipoint_status_string, Multipoint.multipoint_status_string)
        same(CMultipoint.multipoint_last_error, Multipoint.multipoint_last_error)
        same(CMultipoint.multipoint_model_open, Multipoint.multipoint_model_open)
        same(CMultipoint.multipoint_model_open_memory, Multipoint.multipoint_model_open_memory)
        same(CMultipoint.multipoint_model_destroy, Multipoint.multipoint_model_destroy)
        same(CMultipoint.multipoint_model_name, Multipoint.multipoint_model_name)
        same(CMultipoint.multipoint_model_has_graph, Multipoint.multipoint_model_has_graph)
        same(CMultipoint.multipoint_model_input_count, Multipoint.multipoint_model_input_count)
        same(CMultipoint.multipoint_model_output_count, Multipoint.multipoint_model_output_count)
        same(CMultipoint.multipoint_model_input, Multipoint.multipoint_model_input)
        same(CMultipoint.multipoint_model_output, Multipoint.multipoint_model_output)
        same(CMultipoint.multipoint_model_layer_count, Multipoint.multipoint_model_layer_count)
        same(CMultipoint.multipoint_model_layer, Multipoint.multipoint_model_layer)
        same(CMultipoint.multipoint_session_create, Multipoint.multipoint_session_create)
        same(CMultipoint.multipoint_session_destroy, Multipoint.multipoint_session_destroy)
        same(CMultipoint.multipoint_session_run, Multipoint.multipoint_session_run)
        same(CMultipoint.multipoint_session_describe, Multipoint.multipoint_session_describe)
        same(CMultipoint.multipoint_session_step, Multipoint.multipoint_session_step)
        same(CMultipoint.multipoint_session_start_profile, Multipoint.multipoint_session_start_profile)
        same(CMultipoint.multipoint_session_stop_profile, Multipoint.multipoint_session_stop_profile)
        same(CMultipoint.multipoint_session_profile, Multipoint.multipoint_session_profile)
        same(CMultipoint.multipoint_session_profile_step, Multipoint.multipoint_session_profile_step)
        same(CMultipoint.multipoint_layer_from_model, Multipoint.multipoint_layer_from_model)
        same(CMultipoint.multipoint_layer_create, Multipoint.multipoint_layer_create)
        same(CMultipoint.multipoint_layer_destroy, Multipoint.multipoint_layer_destroy)
        same(CMultipoint.multipoint_layer_describe, Multipoint.multipoint_layer_describe)
        same(CMultipoint.multipoint_layer_rows, Multipoint.multipoint_layer_rows)
        same(CMultipoint.multipoint_plan_create, Multipoint.multipoint_plan_create)
        same(CMultipoint.multipoint_plan_destroy, Multipoint.multipoint_plan_destroy)
        same(CMultipoint.multipoint_plan_workspace_size, Multipoint.multipoint_plan_workspace_size)
        same(CMultipoint.multipoint_plan_describe, Multipoint.multipoint_plan_describe)
        same(CMultipoint.multipoint_plan_execute, Multipoint.multipoint_plan_execute)
        same(CMultipoint.multipoint_packing_create, Multipoint.multipoint_packing_create)
        same(CMultipoint.multipoint_packing_destroy, Multipoint.multipoint_packing_destroy)
        same(CMultipoint.multipoint_packing_weights, Multipoint.multipoint_packing_weights)
        same(CMultipoint.multipoint_packing_errors, Multipoint.multipoint_packing_errors)
    }
}
