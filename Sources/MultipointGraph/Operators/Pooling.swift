// MaxPool, AveragePool.

extension Translation {
    /// Versions 1 to 22: 8 brought the second output and storage_order, 10 dilations and ceil_mode.
    mutating func maxPool(_ reader: NodeReader) throws(GraphError) {
        switch reader.version {
        case ..<8: try reader.allowAttributes("auto_pad", "kernel_shape", "pads", "strides")
        case ..<10: try reader.allowAttributes("auto_pad", "kernel_shape", "pads", "storage_order", "strides")
        default:
            try reader.allowAttributes(
                "auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides")
        }
        guard try !reader.flag("storage_order") else { throw reader.unsupported("storage_order = 1 is not supported") }
        let (input, pooling) = try pooling(reader)
        try emit(.maxPool(pooling), over: input, reader)
    }

    /// Versions 7 to 22: 10 brought ceil_mode, 19 dilations.
    mutating func averagePool(_ reader: NodeReader) throws(GraphError) {
        switch reader.version {
        case ..<10: try reader.allowAttributes("auto_pad", "count_include_pad", "kernel_shape", "pads", "strides")
        case ..<19: try reader.allowAttributes("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
        default:
            try reader.allowAttributes(
                "auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")
        }
        let (input, pooling) = try pooling(reader)
        try emit(.averagePool(pooling, countsPadding: try reader.flag("count_include_pad")), over: input, reader)
    }

    private func pooling(_ reader: NodeReader) throws(GraphError) -> (Image, Pooling) {
        try reader.checkInputCount(1...1)
        let input = try image(0, reader)
        let kernel = try reader.kernelShape(input)
        let (pads, automatic) = try reader.pads(over: input, kernel: kernel)
        // With auto_pad the size of the result does not depend on ceil_mode.
        let ceilMode = try reader.flag("ceil_mode") && !automatic
        return (
            input,
            Pooling(
                kernel: kernel, strides: try reader.strides(input), pads: pads, dilations: try reader.dilations(input),
                ceilMode: ceilMode)
        )
    }
}
