import MultipointGraph
import NumPyArrays

/// The images of a file: an array whose first dimension counts them.
struct ImageArray {
    let path: String
    private let array: NPYArray
    private let layout: ImageLayout
    private let scale: Float
    /// One per channel.
    private let mean: [Float]
    private let deviation: [Float]

    /// - Throws: `CommandError` for arrays that are no images, or do not fit the preprocessing.
    init(path: String, _ preprocessing: Preprocessing) throws {
        try self.init(path: path, NPYArray(path: path), preprocessing)
    }

    init(path: String, _ array: NPYArray, _ preprocessing: Preprocessing) throws(CommandError) {
        self.path = path
        self.array = array
        guard !array.shape.isEmpty else { throw CommandError("`\(path)`: a single number; an array of images expected") }
        guard array.shape.allSatisfy({ $0 > 0 }) else {
            throw CommandError("`\(path)`: shape \(sizesText(array.shape)) has no images in it")
        }
        switch array.elements {
        case .uint8: layout = preprocessing.layout ?? .nhwc
        case .float32, .int32, .int64: layout = preprocessing.layout ?? .nchw
        }
        scale = preprocessing.scale
        let channels = array.shape.count == 4 ? array.shape[layout == .nhwc ? 3 : 1] : 1
        mean = try ImageArray.perChannel(preprocessing.mean, "--mean", channels, path)
        deviation = try ImageArray.perChannel(preprocessing.deviation, "--std", channels, path)
    }

    private static func perChannel(
        _ values: [Float], _ option: String, _ channels: Int, _ path: String
    ) throws(CommandError) -> [Float] {
        if values.count == 1 { return [Float](repeating: values[0], count: channels) }
        guard values.count == channels else {
            throw CommandError("\(option): \(values.count) numbers, but an image of `\(path)` has \(channels) channels")
        }
        return values
    }

    var count: Int { array.shape[0] }

    /// Shape of one image as the network takes it: channels, height, width where there are three dimensions.
    var imageShape: [Int] {
        let stored = Array(array.shape.dropFirst())
        return isTransposed ? [stored[2], stored[0], stored[1]] : stored
    }

    /// Shape of one image in the file, for messages.
    var storedText: String {
        sizesText(Array(array.shape.dropFirst())) + (array.shape.count == 4 ? " (\(layout.rawValue))" : "")
    }

    private var isTransposed: Bool { array.shape.count == 4 && layout == .nhwc }

    /// Images in C order of the network's layout.
    /// - Throws: `CommandError` for a number that is not finite.
    func floats(_ images: Range<Int>) throws(CommandError) -> [Float] {
        let size = imageShape.reduce(1, *)
        guard images.lowerBound >= 0, images.upperBound <= count else {
            throw CommandError("`\(path)`: images \(images) of \(count) asked for")
        }
        let range = images.lowerBound * size..<images.upperBound * size
        let values: [Float]
        switch array.elements {
        case .uint8(let stored): values = converted(stored[range], size: size) { Float($0) }
        case .float32(let stored):
            if let place = stored[range].firstIndex(where: { !$0.isFinite }) {
                throw CommandError(
                    "`\(path)`: image \(place / size), element \(place % size), is \(stored[place]); finite numbers expected")
            }
            values = converted(stored[range], size: size) { $0 }
        case .int32(let stored): values = converted(stored[range], size: size) { Float($0) }
        case .int64(let stored): values = converted(stored[range], size: size) { Float($0) }
        }
        if let place = values.firstIndex(where: { !$0.isFinite }) {
            throw CommandError("`\(path)`: image \(images.lowerBound + place / size) is not finite after --scale, --mean and --std")
        }
        return values
    }

    private func converted<Stored>(_ stored: ArraySlice<Stored>, size: Int, _ float: (Stored) -> Float) -> [Float] {
        let channels = mean.count
        let plane = size / channels
        return [Float](unsafeUninitializedCapacity: stored.count) { values, initialized in
            stored.withUnsafeBufferPointer { stored in
                for image in 0..<stored.count / size {
                    for channel in 0..<channels {
                        let target = image * size + channel * plane
                        let source = isTransposed ? image * size + channel : target
                        let step = isTransposed ? channels : 1
                        for pixel in 0..<plane {
                            values[target + pixel] =
                                (float(stored[source + pixel * step]) * scale - mean[channel]) / deviation[channel]
                        }
                    }
                }
            }
            initialized = stored.count
        }
    }
}
