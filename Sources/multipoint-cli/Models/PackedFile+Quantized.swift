import MultipointFormat
import PostTrainingQuantization

extension PackedFile {
    /// The file of a network that this command has packed.
    init(_ result: QuantizedNetwork, method: QuantizationOptions.Method) {
        self.init(
            network: result.network, producer: "multipoint \(MultipointCommand.version)",
            relativeOutputErrors: Dictionary(
                result.reports.filter { $0.codebook != nil }.map { ($0.name, $0.relativeOutputError) },
                uniquingKeysWith: { first, _ in first }),
            record: QuantizationRecord(method, result.reports))
    }
}
