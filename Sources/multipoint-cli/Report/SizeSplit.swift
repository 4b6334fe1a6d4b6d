import MultipointFormat
import MultipointGraph

/// What the bytes of a packed file are for.
struct SizeSplit: Equatable {
    struct Part: Equatable {
        var name: String
        var bytes: Int
    }

    var parts: [Part]

    init(_ file: PackedFile, fileBytes: Int) {
        var (codes, codebooks, scales, points, biases, floats) = (0, 0, 0, 0, 0, 0)
        for layer in file.layers {
            biases += 4 * (layer.bias?.count ?? 0)
            switch layer.weights {
            case .float(let values): floats += 4 * values.count
            case .packed(let packed):
                for index in packed.levels.indices {
                    codes += packed.codesByteCount(level: index)
                    codebooks += packed.levels[index].codebook.count
                }
                scales += 4 * packed.scales.count
                points += packed.points.count
            }
        }
        let rest = fileBytes - codes - codebooks - scales - points - biases - floats
        parts = [
            Part(name: "Codes", bytes: codes), Part(name: "Scales", bytes: scales), Part(name: "Codebooks", bytes: codebooks),
            Part(name: "Numbers of points", bytes: points), Part(name: "Biases", bytes: biases),
            Part(name: "Float weights", bytes: floats), Part(name: "Graph, header and constants", bytes: max(0, rest)),
        ]
    }

    var total: Int { parts.reduce(0) { $0 + $1.bytes } }
}
