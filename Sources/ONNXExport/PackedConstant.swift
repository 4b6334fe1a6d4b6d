import FoundationEssentials
import ONNXMessages

/// A packed file as a constant of an ONNX model.
public struct PackedConstant: Sendable {
    public enum Place: Sendable {
        /// These are its bytes, for the model to contain.
        case inside([UInt8])
        /// ONNX external data: a path from the model's folder that does not leave it, and the file's size.
        case beside(location: String, byteCount: Int)
    }

    /// What to call it; changed where the model has another value of that name.
    public var name: String
    public var place: Place

    public init(name: String, place: Place) {
        self.name = name
        self.place = place
    }

    func initializer(named name: String) -> Onnx_TensorProto {
        var tensor = Onnx_TensorProto()
        tensor.name = name
        tensor.dataType = Int32(Onnx_TensorProto.DataType.uint8.rawValue)
        switch place {
        case .inside(let bytes):
            tensor.dims = [Int64(bytes.count)]
            tensor.rawData = Data(bytes)
        case .beside(let location, let byteCount):
            tensor.dims = [Int64(byteCount)]
            tensor.dataLocation = .external
            tensor.externalData = [("location", location), ("offset", "0"), ("length", "\(byteCount)")].map { key, value in
                var entry = Onnx_StringStringEntryProto()
                (entry.key, entry.value) = (key, value)
                return entry
            }
        }
        return tensor
    }

    /// The name, or that with a number, if it is taken.
    func name(besides taken: Set<String>) -> String {
        if !taken.contains(name) { return name }
        var number = 2
        while taken.contains("\(name)_\(number)") { number += 1 }
        return "\(name)_\(number)"
    }
}
