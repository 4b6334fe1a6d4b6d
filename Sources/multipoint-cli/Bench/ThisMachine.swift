import DNNL
import FoundationEssentials
import Glibc

extension BenchReport.Machine {
    static var current: BenchReport.Machine {
        let information = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        let line = information?.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":").last?.drop { $0 == " " }
        return .init(
            processor: name.map(String.init) ?? "unknown processor", cores: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            dnnl: Machine.dnnlVersion, instructionSet: Machine.instructionSet)
    }
}
