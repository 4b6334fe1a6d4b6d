import FoundationEssentials
import MultipointGraph
import ONNXMessages
import SwiftProtobuf

/// The domain of our operators.
let multipointDomain = "multipoint"

extension Onnx_ModelProto {
    /// A model of our own making.
    init(_ graph: Onnx_GraphProto, producer: String, version: String) {
        self.init()
        // 8 came with ONNX 1.13: every runtime that the library works in reads it.
        irVersion = 8
        producerName = producer
        producerVersion = version
        importOperators(of: "", version: graph.node.reduce(Self.operatorSet) { max($0, Self.newerOperators[$1.opType] ?? 0) })
        importOperators(of: multipointDomain, version: 1)
        self.graph = graph
    }

    /// As old as a canonical definition allows (Pad got `wrap`, AveragePool dilations in 19): ONNX Runtime 1.17 reads up to 20.
    private static let operatorSet = 19
    /// Operators that came later, with the operator sets that brought them.
    private static let newerOperators = ["Gelu": 20, "Swish": 24]

    mutating func importOperators(of domain: String, version: Int) {
        guard !opsetImport.contains(where: { $0.domain == domain }) else { return }
        var operators = Onnx_OperatorSetIdProto()
        operators.domain = domain
        operators.version = Int64(version)
        opsetImport.append(operators)
    }

    /// - Throws: `ONNXExportError` if it is larger than a protobuf file can be.
    func encoded() throws(ONNXExportError) -> [UInt8] {
        let limit = Int(Int32.max)
        var size = 0
        for tensor in graph.initializer { size += tensor.rawData.count }
        guard size <= limit, let bytes: [UInt8] = try? serializedBytes(), bytes.count <= limit else {
            throw ONNXExportError(
                "the ONNX model would be larger than the 2 GiB that one file may be; leave the packed file beside it (--external)")
        }
        return bytes
    }
}

extension Onnx_NodeProto {
    /// A node that runs a layer of the packed file. The sizes that the file has too are for whoever looks at the model.
    init(_ layer: Layer, input: String, output: String, file: String) {
        self.init()
        name = layer.name
        domain = multipointDomain
        self.input = [input, file]
        self.output = [output]
        attribute = [Onnx_AttributeProto("layer", .string(layer.name))]
        switch layer.operation {
        case .gemm: opType = "Gemm"
        case .convolution(let convolution):
            opType = "Conv"
            let sizes = [
                ("kernel_shape", Array(layer.shape.dropFirst(2))), ("strides", convolution.strides), ("pads", convolution.pads),
                ("dilations", convolution.dilations),
            ]
            attribute += sizes.map { Onnx_AttributeProto($0, .ints($1.map { Int64($0) })) }
            attribute.append(Onnx_AttributeProto("group", .int(Int64(convolution.group))))
        }
    }

    /// A node of ONNX's own.
    init(_ node: NodeDefinition) {
        self.init()
        name = node.name
        opType = node.operatorType
        domain = node.domain
        input = node.inputs
        output = node.outputs
        attribute = node.attributes.sorted { $0.key < $1.key }.map { Onnx_AttributeProto($0, $1) }
    }
}

extension Onnx_AttributeProto {
    init(_ name: String, _ value: AttributeValue) {
        self.init()
        self.name = name
        switch value {
        case .int(let value): (type, i) = (.int, value)
        case .float(let value): (type, f) = (.float, value)
        case .string(let value): (type, s) = (.string, Data(value.utf8))
        case .ints(let values): (type, ints) = (.ints, values)
        case .floats(let values): (type, floats) = (.floats, values)
        case .strings(let values): (type, strings) = (.strings, values.map { Data($0.utf8) })
        case .tensor(let value): (type, t) = (.tensor, Onnx_TensorProto(value, named: ""))
        // No operator that a network is written with has one.
        case .other: type = .undefined
        }
    }
}

extension Onnx_TensorProto {
    init(_ tensor: Tensor, named name: String) {
        self.init()
        self.name = name
        dims = tensor.shape.map { Int64($0) }
        switch tensor.elements {
        case .float(let values):
            dataType = Int32(DataType.float.rawValue)
            rawData = values.withUnsafeBytes { Data($0) }
        case .int64(let values):
            dataType = Int32(DataType.int64.rawValue)
            rawData = values.withUnsafeBytes { Data($0) }
        }
    }
}

extension Onnx_ValueInfoProto {
    /// Of type float. The batch is called `N`; a dimension of 0 is not known.
    init(_ value: ValueInfo) {
        self.init()
        name = value.name
        type.tensorType.elemType = Int32(Onnx_TensorProto.DataType.float.rawValue)
        type.tensorType.shape.dim = value.shape.map { size in
            var dimension = Onnx_TensorShapeProto.Dimension()
            switch size {
            case .batch: dimension.dimParam = "N"
            case .fixed(let size): if size > 0 { dimension.dimValue = Int64(size) }
            }
            return dimension
        }
    }
}
