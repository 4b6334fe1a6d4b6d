import ArgumentParser

/// Numbers separated by commas.
struct NumberList: ExpressibleByArgument, Equatable {
    var values: [Float]

    init(_ values: [Float]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap { Float($0.drop { $0 == " " }) }
        guard values.count == parts.count, values.allSatisfy(\.isFinite) else { return nil }
        self.values = values
    }

    var defaultValueDescription: String { values.map { "\($0)" }.joined(separator: ",") }
}

/// How stored numbers become the network's input.
struct PreprocessingOptions: ParsableArguments {
    @Option(help: "Stored numbers are multiplied by this, such as 0.00392156862745098 for 1/255.")
    var scale: Float = 1
    @Option(help: "Then subtracted: one number, or one per channel, such as 0.485,0.456,0.406.")
    var mean = NumberList([0])
    @Option(help: "Then divided by: one number, or one per channel.")
    var std = NumberList([1])
    @Option(help: "Order of four dimensions in the file. Default: nhwc for uint8, nchw for other types.")
    var layout: ImageLayout?

    func validate() throws {
        guard scale.isFinite else { throw ValidationError("--scale \(scale): a finite number expected") }
        guard std.values.allSatisfy({ $0 != 0 }) else { throw ValidationError("--std: numbers other than 0 expected") }
    }

    var preprocessing: Preprocessing {
        Preprocessing(scale: scale, mean: mean.values, deviation: std.values, layout: layout)
    }
}

enum ImageLayout: String, CaseIterable, ExpressibleByArgument { case nchw, nhwc }

/// value = (stored · scale − mean) / deviation; mean and deviation have one number, or one per channel.
struct Preprocessing: Equatable {
    var scale: Float = 1
    var mean: [Float] = [0]
    var deviation: [Float] = [1]
    /// Nil: NHWC for uint8, NCHW for other types.
    var layout: ImageLayout?
}
