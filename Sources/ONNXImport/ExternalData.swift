import ONNXMessages

extension TensorReader {
    /// The bytes of a tensor in another file: ONNX's keys `location`, `offset`, `length`.
    func externalBytes(_ tensor: Onnx_TensorProto, count: Int, _ place: String) throws(ONNXImportError) -> [UInt8] {
        var entries: [String: String] = [:]
        for entry in tensor.externalData { entries[entry.key] = entry.value }
        guard let location = entries["location"] else { throw ONNXImportError("\(place): its external data has no location") }
        guard let folder else {
            throw ONNXImportError(
                "\(place): its data is in `\(location)`, which cannot be read along with a model in memory", kind: .io)
        }
        let offset = try number(entries["offset"], "offset", default: 0, place)
        let length = try number(entries["length"], "length", default: count, place)
        guard length == count else {
            throw ONNXImportError("\(place): \(count) bytes of external data expected, `length` is \(length)")
        }
        do throws(ONNXImportError) {
            return try readFile(folder.path(of: location), offset: offset, count: count)
        } catch {
            throw ONNXImportError("\(place): \(error.description)", kind: error.kind)
        }
    }

    private func number(_ text: String?, _ key: String, default value: Int, _ place: String) throws(ONNXImportError) -> Int {
        guard let text else { return value }
        guard let number = Int(text), number >= 0 else {
            throw ONNXImportError("\(place): external data has \(key) `\(text)`; a number from 0 expected")
        }
        return number
    }
}
