import MultipointQuantization

/// What calibrating a network gave, kept so that other methods can pack it without running the samples again: pass one object to
/// several calls of `quantize` for the same network, the same calibration and options that differ in the method alone.
///
/// Filled by the first call; stays empty where the second moments of all layers do not fit `QuantizationOptions.momentBytes`
/// together, and then every call calibrates.
public final class CalibrationStatistics {
    var histograms: [String: ActivationHistogram] = [:]
    /// By layer.
    var moments: [String: SecondMoment] = [:]
    /// How long the call that filled it ran until then.
    public internal(set) var duration = Duration.zero

    public init() {}
}
