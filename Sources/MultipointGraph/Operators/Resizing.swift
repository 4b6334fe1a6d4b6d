// Resize, Upsample.

/// A Resize under translation.
private struct Resizing {
    struct Axis {
        var index: Int
        var size: Int
        var resized: Int
        var scale: Float
    }

    var input: Operand
    /// Those that change.
    var axes: [Axis]
    var mode = Resize.Mode.nearest(.roundPreferFloor)
    var coordinates = Resize.Coordinates.halfPixel
    var excludesOutside = false
    var antialiases = false
}

extension Translation {
    /// Versions 7 (scales as an attribute) and 9 (as an input); version 10 removed it.
    mutating func upsample(_ reader: NodeReader) throws(GraphError) {
        guard reader.version < 10 else { throw reader.unsupported("operator set 10 has replaced it by Resize") }
        try reader.allowAttributes(reader.version < 9 ? ["mode", "scales"] : ["mode"])
        try reader.checkInputCount(reader.version < 9 ? 1...1 : 2...2)
        let scales = reader.version < 9 ? try reader.floats("scales") : try floatsInput(1, "scales", reader)?.values
        try resizeByOldRules(try reader.required(scales, "scales"), reader)
    }

    /// Version 10 has scales alone, 11 and later sizes, coordinate transformations and cubic interpolation; 18 brought axes,
    /// antialiasing and aspect ratios, 19 half_pixel_symmetric. Only 11 has tf_half_pixel_for_nn.
    mutating func resize(_ reader: NodeReader) throws(GraphError) {
        guard reader.version > 10 else {
            try reader.allowAttributes("mode")
            try reader.checkInputCount(2...2)
            return try resizeByOldRules(try reader.required(try floatsInput(1, "scales", reader)?.values, "scales"), reader)
        }
        var names = [
            "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "mode", "nearest_mode",
        ]
        if reader.version >= 18 { names += ["antialias", "axes", "keep_aspect_ratio_policy"] }
        try reader.allowAttributes(names)
        try reader.checkInputCount(1...4)
        let input = try operand(0, reader)
        let axes = try reader.axes(try reader.ints("axes") ?? Array(input.shape.indices), rank: input.shape.count)
        var resizing = Resizing(input: input, axes: [])
        resizing.mode = try resizeMode(reader)
        if case .cubic = resizing.mode { resizing.excludesOutside = try reader.flag("exclude_outside") }
        if case .nearest = resizing.mode {} else {
            resizing.antialiases = try reader.flag("antialias")
            if resizing.antialiases { resizing.excludesOutside = try reader.flag("exclude_outside") }
        }
        resizing.axes = try resizedAxes(axes, of: input, reader)
        switch try reader.string("coordinate_transformation_mode") ?? "half_pixel" {
        case "half_pixel": break
        case "half_pixel_symmetric" where reader.version >= 19: resizing.coordinates = .halfPixelSymmetric
        case "pytorch_half_pixel": resizing.coordinates = .pytorchHalfPixel
        case "align_corners":
            resizing.coordinates = .alignCorners
            try checkCorners(resizing, reader)
        case "asymmetric": resizing.coordinates = .asymmetric
        case "tf_half_pixel_for_nn" where reader.version == 11: return try resizeHalfPixelForNearest(resizing, reader)
        case "tf_crop_and_resize": return try cropAndResize(resizing, axes, reader)
        case let other: throw reader.fail("coordinate_transformation_mode `\(other)` is unknown to version \(reader.version)")
        }
        resizing.axes = resizing.axes.filter { $0.size != $0.resized || $0.scale != 1 }
        try emit(resizing, of: input.name, reader)
    }

    /// Whether the corners of a size that is no whole number are those of its whole part is not agreed: ONNX Runtime says yes, ONNX's
    /// own examples no.
    private func checkCorners(_ resizing: Resizing, _ reader: NodeReader) throws(GraphError) {
        guard try floatsInput(2, "scales", reader)?.values.isEmpty == false else { return }
        for axis in resizing.axes where abs(Float(axis.size) * axis.scale - Float(axis.resized)) > 1e-3 {
            throw reader.unsupported(
                "align_corners with scale \(axis.scale) of \(axis.size) elements along axis \(axis.index): a scale that gives a whole size expected")
        }
    }

    private func resizeMode(_ reader: NodeReader) throws(GraphError) -> Resize.Mode {
        switch try reader.string("mode") ?? "nearest" {
        case "nearest":
            switch try reader.string("nearest_mode") ?? "round_prefer_floor" {
            case "round_prefer_floor": return .nearest(.roundPreferFloor)
            case "round_prefer_ceil": return .nearest(.roundPreferCeil)
            case "floor": return .nearest(.floor)
            case "ceil": return .nearest(.ceil)
            case let other: throw reader.fail("nearest_mode `\(other)` is unknown")
            }
        case "linear": return .linear
        case "cubic": return .cubic(a: try reader.float("cubic_coeff_a") ?? -0.75)
        case let other: throw reader.fail("mode `\(other)`: `nearest`, `linear` or `cubic` expected")
        }
    }

    /// Output sizes from the input `sizes` or `scales`, of which there is one.
    private func resizedAxes(_ axes: [Int], of input: Operand, _ reader: NodeReader) throws(GraphError) -> [Resizing.Axis] {
        let scales = try floatsInput(2, "scales", reader)?.values ?? [], sizes = try intsInput(3, "sizes", reader) ?? []
        guard scales.isEmpty != sizes.isEmpty, scales.count + sizes.count == axes.count else {
            throw reader.fail("\(scales.count) scales and \(sizes.count) sizes for \(axes.count) axes; one of each axis expected")
        }
        if sizes.isEmpty { return try resizedAxes(axes, scales: scales, of: input, reader) }
        guard sizes.allSatisfy({ (1...TensorLimits.count).contains($0) }) else {
            throw reader.fail("sizes \(sizes): numbers from 1 to \(TensorLimits.count) expected")
        }
        let quotients = zip(axes, sizes).map { Float($1) / Float(input.shape[$0]) }
        let shared: Float?
        switch try reader.string("keep_aspect_ratio_policy") ?? "stretch" {
        case "stretch": shared = nil
        case "not_larger": shared = quotients.min()
        case "not_smaller": shared = quotients.max()
        case let other: throw reader.fail("keep_aspect_ratio_policy `\(other)` is unknown")
        }
        return axes.indices.map { index in
            let size = input.shape[axes[index]], scale = shared ?? quotients[index]
            let resized = shared == nil ? sizes[index] : Int((scale * Float(size)).rounded())
            return Resizing.Axis(index: axes[index], size: size, resized: max(1, resized), scale: scale)
        }
    }

    /// Size · scale, rounded down, in float32 as ONNX Runtime computes it.
    private func resizedAxes(
        _ axes: [Int], scales: [Float], of input: Operand, _ reader: NodeReader
    ) throws(GraphError) -> [Resizing.Axis] {
        guard scales.count == axes.count else { throw reader.fail("\(scales.count) scales for \(axes.count) axes") }
        guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else { throw reader.fail("scales \(scales): positive numbers expected") }
        var resized: [Resizing.Axis] = []
        for (axis, scale) in zip(axes, scales) {
            let size = (Float(input.shape[axis]) * scale).rounded(.down)
            guard (1...Float(TensorLimits.count)).contains(size), let count = Int(exactly: size) else {
                throw reader.fail("scale \(scale) of axis \(axis) of `\(input.name)` of shape \(input.shape) leaves \(size) elements")
            }
            resized.append(Resizing.Axis(index: axis, size: input.shape[axis], resized: count, scale: scale))
        }
        return resized
    }

    /// Upsample and Resize-10: asymmetric; the nearest element is the one before, or when the image shrinks, the one behind.
    private mutating func resizeByOldRules(_ scales: [Float], _ reader: NodeReader) throws(GraphError) {
        let input = try operand(0, reader)
        var resizing = Resizing(input: input, axes: [])
        resizing.coordinates = .asymmetric
        let axes = try resizedAxes(Array(input.shape.indices), scales: scales, of: input, reader).filter { $0.scale != 1 }
        switch try reader.string("mode") ?? "nearest" {
        case "linear":
            (resizing.axes, resizing.mode) = (axes, .linear)
            try emit(resizing, of: input.name, reader)
        case "nearest":
            let growing = axes.filter { $0.scale > 1 }, shrinking = axes.filter { $0.scale < 1 }
            var value = input.name
            if !growing.isEmpty, !shrinking.isEmpty {
                (resizing.axes, resizing.mode) = (growing, .nearest(.floor))
                value = try step(.resize(resizing.attributes), reader, "grown", inputs: [value])
            }
            (resizing.axes, resizing.mode) = shrinking.isEmpty ? (growing, .nearest(.floor)) : (shrinking, .nearest(.ceil))
            try emit(resizing, of: value, reader)
        case let other: throw reader.fail("mode `\(other)`: `nearest` or `linear` expected")
        }
    }

    /// x = (i + 0.5) / scale: half_pixel's x plus 0.5. Rounded down, that is half_pixel's nearest with halves up; other roundings are
    /// a Gather.
    private mutating func resizeHalfPixelForNearest(_ resizing: Resizing, _ reader: NodeReader) throws(GraphError) {
        guard case .nearest(let rounding) = resizing.mode else {
            throw reader.unsupported("coordinate_transformation_mode `tf_half_pixel_for_nn` is for mode `nearest`")
        }
        // As in ONNX Runtime, an axis that keeps its size is not shifted.
        var resizing = resizing
        resizing.axes = resizing.axes.filter { $0.size != $0.resized || $0.scale != 1 }
        if rounding == .floor {
            resizing.mode = .nearest(.roundPreferCeil)
            return try emit(resizing, of: resizing.input.name, reader)
        }
        for axis in resizing.axes { try charge(axis.resized, words: 2, reader) }
        let gathered = resizing.axes.map { axis in
            (axis.index, (0..<axis.resized).map { rounding.index((Float($0) + 0.5) / axis.scale, size: axis.size) })
        }
        try emit(gathers: gathered, of: resizing.input, reader)
    }

    private mutating func emit(gathers: [(axis: Int, indices: [Int])], of input: Operand, _ reader: NodeReader) throws(GraphError) {
        guard let last = gathers.last else { return try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name]) }
        var value = input.name
        for (axis, indices) in gathers.dropLast() {
            value = try step(.gather(indices: indices, shape: [indices.count], axis: axis), reader, "axis_\(axis)", inputs: [value])
        }
        try emit(.gather(indices: last.indices, shape: [last.indices.count], axis: last.axis), reader, inputs: [value])
    }

    /// A crop whose borders are samples is a Slice; what it leaves is resized with aligned corners.
    private mutating func cropAndResize(_ resizing: Resizing, _ axes: [Int], _ reader: NodeReader) throws(GraphError) {
        guard let (_, region) = try floatsInput(1, "roi", reader), region.count == 2 * axes.count else {
            throw reader.fail("roi: \(2 * axes.count) numbers expected")
        }
        let byScale = try floatsInput(2, "scales", reader)?.values.isEmpty == false
        var resizing = resizing
        var cropped: [(axis: Int, start: Int, end: Int)] = []
        for index in resizing.axes.indices {
            let size = resizing.axes[index].size, start = region[index], end = region[axes.count + index]
            let from = start * Float(size - 1), to = end * Float(size - 1)
            guard let first = Int(exactly: from), let last = Int(exactly: to), 0 <= first, first <= last, last < size else {
                throw reader.unsupported("roi \(region): a region of axis \(axes[index]) that begins and ends at samples expected")
            }
            if byScale {
                let resized = Float(size) * (end - start) * resizing.axes[index].scale
                guard resized >= 1, resized <= Float(TensorLimits.count) else { throw reader.fail("roi \(region) leaves nothing") }
                resizing.axes[index].resized = Int(resized)
            }
            // A single sample of more than one would be the middle of the region.
            guard resizing.axes[index].resized > 1 || first == last else {
                throw reader.unsupported("roi \(region): one sample of a larger region is not supported")
            }
            if first > 0 || last < size - 1 { cropped.append((axes[index], first, last + 1)) }
            resizing.axes[index].size = last - first + 1
        }
        resizing.coordinates = .alignCorners
        resizing.axes = resizing.axes.filter { $0.size != $0.resized }
        for index in resizing.axes.indices {
            resizing.axes[index].scale = Float(resizing.axes[index].resized) / Float(resizing.axes[index].size)
        }
        guard !cropped.isEmpty else { return try emit(resizing, of: resizing.input.name, reader) }
        let slice = Operation.slice(
            starts: cropped.map(\.start), ends: cropped.map(\.end), axes: cropped.map(\.axis),
            steps: Array(repeating: 1, count: cropped.count))
        try emit(resizing, of: try step(slice, reader, "crop", inputs: [resizing.input.name]), reader)
    }

    private mutating func emit(_ resizing: Resizing, of value: String, _ reader: NodeReader) throws(GraphError) {
        if resizing.axes.isEmpty { return try emit(.keepingShape(rank: resizing.input.shape.count), reader, inputs: [value]) }
        try emit(.resize(resizing.attributes), reader, inputs: [value])
    }
}

extension Resizing {
    var attributes: Resize {
        Resize(
            axes: axes.map(\.index), sizes: axes.map(\.resized), scales: axes.map(\.scale), mode: mode, coordinates: coordinates,
            excludesOutside: excludesOutside, antialiases: antialiases)
    }
}

extension Resize.Rounding {
    /// The index of the sample next to a position.
    fileprivate func index(_ position: Float, size: Int) -> Int {
        let rounded =
            switch self {
            case .roundPreferFloor: (position - 0.5).rounded(.up)
            case .roundPreferCeil: (position + 0.5).rounded(.down)
            case .floor: position.rounded(.down)
            case .ceil: position.rounded(.up)
            }
        // Positions are not negative, and bounded by size / scale.
        return Int(min(max(rounded, 0), Float(size - 1)))
    }
}
