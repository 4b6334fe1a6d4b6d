import FuzzInterpreter

func runCalls(_ bytes: UnsafeRawBufferPointer) -> FuzzOutcome {
    let files = callFiles
    files.network.withUnsafeBytes { network in
        files.weights.withUnsafeBytes { weights in
            fuzz_calls(bytes.baseAddress, bytes.count, network.baseAddress, network.count, weights.baseAddress, weights.count)
        }
    }
    return .run
}

/// A network of the layers of `GraphShell`.
let callGraph = """
    {"operator_set":13,"inputs":[{"name":"x","shape":["N",2,2,2]}],"outputs":[{"name":"y","shape":["N",3]},{"name":"s"}],"nodes":[\
    {"operator":"Conv","inputs":["x"],"outputs":["c"],"layer":"conv"},{"operator":"Relu","inputs":["c"],"outputs":["r"]},\
    {"operator":"Conv","inputs":["r"],"outputs":["d"],"layer":"float"},\
    {"operator":"Add","inputs":["d","r"],"outputs":["a"]},\
    {"operator":"Softmax","inputs":["a"],"outputs":["s"],"attributes":{"axis":1}},\
    {"operator":"Flatten","inputs":["s"],"outputs":["f"]},{"operator":"Gemm","inputs":["f"],"outputs":["y"],"layer":"gemm"}],\
    "values":{"x":{"scale":0.1,"zero_point":7},"r":{"scale":0.2,"zero_point":0},"f":{"scale":0.05,"zero_point":0}}}
    """

/// The network, and its layers without it, for the calls that open models.
let callFiles = (
    network: GraphShell.file(graph: callGraph, layers: GraphShell.layers),
    weights: GraphShell.file(graph: nil, layers: GraphShell.layers)
)
