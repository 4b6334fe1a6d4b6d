import ArgumentParser
import PostTrainingQuantization

/// `--activations`: the ranges of activations by their names.
struct ActivationOption: ExpressibleByArgument {
    var choice: QuantizationOptions.Activations

    init(_ choice: QuantizationOptions.Activations) { self.choice = choice }

    init?(argument: String) {
        switch argument {
        case "min-max": choice = .minMax
        case "mse": choice = .meanSquaredError
        case "output-aware": choice = .outputAware
        case "best": choice = .best
        default:
            let prefix = "percentile:"
            guard argument.hasPrefix(prefix), let percentile = Double(argument.dropFirst(prefix.count)) else { return nil }
            choice = .percentile(percentile)
        }
    }

    static var allValueStrings: [String] { ["min-max", "percentile:P", "mse", "output-aware", "best"] }

    var defaultValueDescription: String {
        switch choice {
        case .minMax: "min-max"
        case .percentile(let percentile): "percentile:\(percentile)"
        case .meanSquaredError: "mse"
        case .outputAware: "output-aware"
        case .best: "best"
        }
    }
}
