import CDNNL

/// The machine and the oneDNN that the process runs with.
public enum Machine {
    /// oneDNN's integer kernels need SSE4.1.
    public static let isSupported: Bool = multipoint_cpu_has_sse41() != 0

    /// Version of the loaded oneDNN, such as "2.6.3".
    public static var dnnlVersion: String {
        guard let version = dnnl_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.patch)"
    }

    /// The CPU threading runtime that oneDNN was built with.
    public static var runtime: String {
        switch dnnl_version()?.pointee.cpu_runtime {
        case UInt32(DNNL_RUNTIME_OMP): "OpenMP"
        case UInt32(DNNL_RUNTIME_TBB): "TBB"
        case UInt32(DNNL_RUNTIME_SEQ): "sequential"
        default: "other"
        }
    }

    /// One line of all of these, such as "oneDNN 2.6.3 (OpenMP), AVX2, 2 threads": the threads that OpenMP would use where none are asked for.
    public static var summary: String {
        "oneDNN \(dnnlVersion) (\(runtime)), \(isSupported ? instructionSet : "unsupported machine"), "
            + (Threads.current == 1 ? "1 thread" : "\(Threads.current) threads")
    }

    /// The widest instruction set that oneDNN uses here, lowered by the environment variable DNNL_MAX_CPU_ISA.
    public static var instructionSet: String {
        switch dnnl_get_effective_cpu_isa() {
        case dnnl_cpu_isa_sse41: "SSE4.1"
        case dnnl_cpu_isa_avx: "AVX"
        case dnnl_cpu_isa_avx2: "AVX2"
        case dnnl_cpu_isa_avx2_vnni: "AVX2-VNNI"
        case dnnl_cpu_isa_avx512_core: "AVX-512"
        case dnnl_cpu_isa_avx512_core_vnni: "AVX-512-VNNI"
        case dnnl_cpu_isa_avx512_core_bf16: "AVX-512-BF16"
        case dnnl_cpu_isa_avx512_core_amx: "AVX-512-AMX"
        default: "other"
        }
    }
}
