/// The names of a layer's tensors.
struct TensorNames {
    let layer: String

    var points: String { layer + ".points" }
    var scales: String { layer + ".scales" }
    var bias: String { layer + ".bias" }
    var weight: String { layer + ".weight" }
    func codes(_ level: Int) -> String { "\(layer).codes.\(level)" }
    func codebook(_ level: Int) -> String { "\(layer).codebook.\(level)" }
}
