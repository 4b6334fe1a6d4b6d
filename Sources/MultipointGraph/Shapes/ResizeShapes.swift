// Operations that change the resolution of images.

extension ShapeRule {
    func resize(_ resize: Resize) throws(GraphError) -> [Int] {
        let input = try only()
        try checkAxes(resize.axes, rank: input.shape.count, "`\(input.name)` of shape \(input.shape)")
        guard resize.sizes.count == resize.axes.count, resize.sizes.allSatisfy({ (1...TensorLimits.count).contains($0) }) else {
            throw fail("sizes \(resize.sizes) for axes \(resize.axes): as many numbers from 1 expected")
        }
        guard resize.scales.count == resize.axes.count, resize.scales.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw fail("scales \(resize.scales) for axes \(resize.axes): as many finite positive numbers expected")
        }
        if case .cubic(let a) = resize.mode, !a.isFinite { throw fail("cubic coefficient \(a): a finite number expected") }
        var shape = input.shape
        for (axis, size) in zip(resize.axes, resize.sizes) { shape[axis] = size }
        return shape
    }

    func depthToSpace(_ block: Int) throws(GraphError) -> [Int] {
        let input = try onlyImage(), shape = input.shape
        guard (1...TensorLimits.attribute).contains(block), shape[1] % (block * block) == 0 else {
            throw fail("blocks of \(block) × \(block) do not divide the \(shape[1]) channels of `\(input.name)`")
        }
        return [shape[0], shape[1] / (block * block), shape[2] * block, shape[3] * block]
    }

    func spaceToDepth(_ block: Int) throws(GraphError) -> [Int] {
        let input = try onlyImage(), shape = input.shape
        guard (1...TensorLimits.attribute).contains(block), shape[2] % block == 0, shape[3] % block == 0 else {
            throw fail("blocks of \(block) × \(block) do not divide `\(input.name)` of shape \(shape)")
        }
        let (channels, overflow) = shape[1].multipliedReportingOverflow(by: block * block)
        guard !overflow else { throw fail("the result is too large") }
        return [shape[0], channels, shape[2] / block, shape[3] / block]
    }
}
