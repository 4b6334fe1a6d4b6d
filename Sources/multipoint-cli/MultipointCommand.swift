import ArgumentParser
import CMultipoint
import DNNL
import Glibc

@main
enum Program {
    static func main() {
        StandardOutput.reserveDescriptors()
        StandardOutput.checkAtExit()
        // A file that would grow beyond its limit is an error of `write`, not the end.
        signal(SIGXFSZ, SIG_IGN)
        endCleanlyOnSignals()
        MultipointCommand.main()
    }
}

struct MultipointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "multipoint",
        abstract: "Convolutional networks with multipoint-packed weights: short sums of scaled low-bit vectors.",
        version: "\(version)\n\(Machine.summary)",
        subcommands: [
            QuantizeCommand.self, InspectCommand.self, ReportCommand.self, RunCommand.self, EvaluateCommand.self, CompareCommand.self,
            BenchCommand.self, DoctorCommand.self, ExportCommand.self,
        ])

    static var version: String { "\(MULTIPOINT_VERSION_MAJOR).\(MULTIPOINT_VERSION_MINOR).\(MULTIPOINT_VERSION_PATCH)" }
}

/// A failure in the words of the command line's files and options: exit status 1.
struct CommandError: Error, Equatable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
