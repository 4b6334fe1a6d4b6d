import DNNL
import MultipointGraph

/// Functions of single elements.
extension NetworkCompiler {
    mutating func emitElementwise(_ node: Node, _ function: Elementwise) throws {
        if try emitTable(node, function) { return }
        let input = try float(node.inputs[0], value(node.inputs[0]).layout)
        let result = try builder.value(input.shape, input.layout, .float32)
        values[node.output] = result
        guard let operation = function.postOperation else {
            builder.append(
                FunctionStep(
                    name: node.name, operation: operationName(node), function: function, source: input.buffer,
                    destination: result.buffer, count: input.count, threads: builder.threads))
            return
        }
        // The order of elements does not matter, so the tensor is one long vector.
        let flat = try MemoryDescriptor([input.count], .float32)
        try builder.append(
            eltwise(operation, flat), name: node.name, operation: operationName(node),
            [(.source, flat, input.buffer), (.destination, flat, result.buffer)])
    }

    /// From 8 bits to 8 bits. False if the operand or the result is float.
    private mutating func emitTable(_ node: Node, _ function: Elementwise) throws -> Bool {
        let input = try value(node.inputs[0])
        guard let from = input.quantization, let to = storage(of: node.output).quantization else { return false }
        try to.requireInverse(node.name)
        let result = try builder.value(input.shape, input.layout, .uint8, to)
        builder.append(
            LookUpStep(
                name: node.name, operation: operationName(node), source: input.buffer, destination: result.buffer, count: input.count,
                table: LookUpStep.table(from: from, to: to) { function($0) }, threads: builder.threads))
        values[node.output] = result
        return true
    }
}
