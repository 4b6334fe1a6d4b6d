import ArgumentParser

/// A size as people write it: 65536, 800kB, 1.5MB, 2GB, 512KiB, 3MiB.
struct ByteCount: ExpressibleByArgument, Equatable {
    let bytes: Int

    init?(argument: String) {
        let number = argument.prefix { $0.isNumber || $0 == "." }
        let units: [String: Double] = [
            "": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1024.0, "mib": 1_048_576.0, "gib": 1_073_741_824.0,
        ]
        guard let value = Double(number), let unit = units[argument.dropFirst(number.count).lowercased()],
            value * unit >= 1, value * unit < 1e15
        else { return nil }
        bytes = Int(value * unit)
    }
}
