/// Fills a C array of int64, which Swift imports as a tuple; further entries stay as they are.
func assign<Tuple: BitwiseCopyable>(_ field: inout Tuple, _ values: [Int]) {
    withUnsafeMutableBytes(of: &field) { raw in
        let elements = raw.bindMemory(to: Int64.self)
        for (index, value) in values.prefix(elements.count).enumerated() { elements[index] = Int64(value) }
    }
}
