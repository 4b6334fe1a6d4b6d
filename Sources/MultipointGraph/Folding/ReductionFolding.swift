// Reductions over axes.

extension NodeFolding {
    /// Axes are an attribute in older versions and an input in newer ones (ReduceSum: 13, the others: 18), which also brought
    /// `noop_with_empty_axes`.
    func reduce() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axes", "keepdims", "noop_with_empty_axes")
        try reader.checkInputCount(1...2)
        let tensor = try input(0), rank = tensor.shape.count
        let stated = try integers("axes", orInput: 1) ?? []
        if stated.isEmpty, try reader.flag("noop_with_empty_axes") { return tensor }
        let axes = stated.isEmpty ? Array(0..<rank) : try reader.axes(stated, rank: rank)
        let keeps = try reader.int("keepdims") ?? 1 != 0
        let kept = (0..<rank).filter { !axes.contains($0) }
        let shape = (0..<rank).compactMap { axes.contains($0) ? (keeps ? 1 : nil) : tensor.shape[$0] }
        let count = try checkSize(shape)
        // The reduced axes last: every result is made of a run of elements.
        let view = StridedView(tensor.shape), order = kept + axes.sorted()
        let ordered = tensor.viewed(StridedView(shape: order.map { view.shape[$0] }, strides: order.map { view.strides[$0] }))
        let run = count > 0 ? tensor.count / count : 0
        switch ordered.elements {
        case .float(let values): return Tensor(shape: shape, try reduced(values, count, run, floatReduction()))
        case .int64(let values):
            let results = try reduced(values, count, run, integerReduction())
            return Tensor(shape: shape, elements: .int64(results), integerType: tensor.integerType)
        }
    }

    private func reduced<Element>(
        _ values: [Element], _ count: Int, _ run: Int, _ function: (ArraySlice<Element>) -> Element?
    ) throws(GraphError) -> [Element] {
        var results: [Element] = []
        results.reserveCapacity(count)
        for index in 0..<count {
            guard let result = function(values[index * run..<(index + 1) * run]) else {
                throw fail("\(text(0)) has no elements to reduce")
            }
            results.append(result)
        }
        return results
    }

    /// Sums and products in float64.
    private func floatReduction() throws(GraphError) -> (ArraySlice<Float>) -> Float? {
        switch reader.node.operatorType {
        case "ReduceSum": { Float($0.reduce(0.0) { $0 + Double($1) }) }
        case "ReduceMean": { $0.isEmpty ? nil : Float($0.reduce(0.0) { $0 + Double($1) } / Double($0.count)) }
        case "ReduceProd": { Float($0.reduce(1.0) { $0 * Double($1) }) }
        case "ReduceMax": { $0.max() }
        case "ReduceMin": { $0.min() }
        default: throw reader.unsupported("it is not computed of constants")
        }
    }

    private func integerReduction() throws(GraphError) -> (ArraySlice<Int64>) -> Int64? {
        switch reader.node.operatorType {
        case "ReduceSum": { $0.reduce(0, &+) }
        case "ReduceMean": { $0.isEmpty ? nil : $0.reduce(0, &+) / Int64($0.count) }
        case "ReduceProd": { $0.reduce(1, &*) }
        case "ReduceMax": { $0.max() }
        case "ReduceMin": { $0.min() }
        default: throw reader.unsupported("it is not computed of constants")
        }
    }
}
