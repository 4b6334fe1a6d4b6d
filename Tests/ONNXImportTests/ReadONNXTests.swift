import Foundation
import MultipointGraph
import Testing

import ONNXMessages
@testable import ONNXImport

@Suite struct ReadONNXTests {
    /// Conv, BatchNormalization (γ = 3, β = 1, μ = 2, σ² + ε = 4: y = 1.5 x − 2), Relu, written as IR version 3 with weights among
    /// the inputs.
    private static let convolution = model(opset: 9) {
        $0.input = [
            value("x", [.symbol("batch"), .fixed(1), .fixed(5), .fixed(5)]), value("w", [.fixed(1)]), value("gamma", [.fixed(1)]),
        ]
        $0.output = [value("y", [.symbol("batch"), .fixed(1), .fixed(5), .symbol("width")])]
        $0.initializer = [
            floats("w", [1, 1, 1, 2], [2, -4]), floats("gamma", [1], [3]), floats("beta", [1], [1]), floats("mean", [1], [2]),
            floats("variance", [1], [3.5]),
        ]
        $0.node = [
            onnxNode("Conv", ["x", "w"], ["c"], [attribute("pads", .ints) { $0.ints = [0, 0, 0, 1] }]),
            onnxNode(
                "BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"],
                [attribute("epsilon", .float) { $0.f = 0.5 }]),
            onnxNode("Relu", ["n"], ["y"]),
        ]
    }

    @Test func aFileBecomesANetwork() throws {
        try withFolder { folder in
            let path = folder + "model.onnx"
            let bytes: [UInt8] = try Self.convolution.serializedBytes()
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let network = try Network(definition: try readONNX(path: path))
            #expect(network.inputs == [ValueInfo(name: "x", shape: [.batch, .fixed(1), .fixed(5), .fixed(5)])])
            #expect(network.outputs == [ValueInfo(name: "y", shape: [.batch, .fixed(1), .fixed(5), .fixed(5)])])
            #expect(network.nodes.map(\.operation) == [.layer("Conv_c"), .relu])
            #expect(network.layers["Conv_c"]?.weights == .float([3, -6]))
            #expect(network.layers["Conv_c"]?.bias == [-2])
            #expect(network.layers["Conv_c"]?.operation == .convolution(ConvolutionAttributes(pads: [0, 0, 0, 1])))
        }
    }

    @Test func weightsMayBeInAFileBesideTheModel() throws {
        try withFolder { folder in
            var message = Self.convolution
            message.graph.initializer[0].floatData = []
            message.graph.initializer[0].dataLocation = .external
            message.graph.initializer[0].externalData = [
                Onnx_StringStringEntryProto.with {
                    $0.key = "location"; $0.value = "w.bin"
                }
            ]
            let bytes: [UInt8] = try message.serializedBytes()
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "model.onnx"))
            try Data([0, 0, 0, 0x40, 0, 0, 0x80, 0xC0]).write(to: URL(fileURLWithPath: folder + "w.bin"))
            #expect(try readONNX(path: folder + "model.onnx") == read(Self.convolution))
            try linksOfFilesBesideTheModel(folder)
        }
    }

    /// A link may lead to a file beside the model or beside what the model's own path links to, and nowhere else.
    private func linksOfFilesBesideTheModel(_ folder: String) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: folder + "cache", withIntermediateDirectories: false)
        try files.createSymbolicLink(atPath: folder + "cache/model.onnx", withDestinationPath: "../model.onnx")
        try files.createSymbolicLink(atPath: folder + "cache/w.bin", withDestinationPath: "../w.bin")
        #expect(try readONNX(path: folder + "cache/model.onnx") == read(Self.convolution))

        try files.createDirectory(atPath: folder + "hostile", withIntermediateDirectories: false)
        try files.copyItem(atPath: folder + "model.onnx", toPath: folder + "hostile/model.onnx")
        try files.createSymbolicLink(atPath: folder + "hostile/w.bin", withDestinationPath: "../w.bin")
        expectError(.invalid, "external data `w.bin` is outside the model's folder") {
            _ = try readONNX(path: folder + "hostile/model.onnx")
        }
    }

    @Test func filesThatAreNotThereOrNotONNX() throws {
        try withFolder { folder in
            expectError(.io, "\(folder)none.onnx", "cannot be opened", "No such file") {
                _ = try readONNX(path: folder + "none.onnx")
            }
            expectError(.io, "not a regular file") { _ = try readONNX(path: folder) }
            for bytes in [[], [0xFF], Array("%PDF-1.7".utf8), [UInt8](repeating: 0, count: 100)] as [[UInt8]] {
                try Data(bytes).write(to: URL(fileURLWithPath: folder + "other"))
                expectError(.invalid, "\(folder)other", "not an ONNX model") { _ = try readONNX(path: folder + "other") }
            }
        }
    }

    /// A model cut off anywhere, and with any byte changed: an error or another model, never a trap.
    @Test func damagedFiles() throws {
        let bytes: [UInt8] = try Self.convolution.serializedBytes()
        var readable = 0
        func tryReading(_ bytes: [UInt8]) {
            guard let definition = try? readONNX(bytes: bytes, source: "damaged") else { return }
            if (try? Network(definition: definition)) != nil { readable += 1 }
        }
        for length in bytes.indices { tryReading(Array(bytes[..<length])) }
        #expect(readable == 0)
        for index in bytes.indices {
            for change in [1, 0x80, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] ^= change
                tryReading(changed)
            }
        }
        #expect((1..<3 * bytes.count).contains(readable))
    }
}
