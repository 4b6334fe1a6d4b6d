import NumPyArrays

func runNPY(_ bytes: UnsafeRawBufferPointer) -> FuzzOutcome {
    guard let array = try? NPYArray(bytes) else { return .refused }
    require(array.shape.reduce(1, *) == array.count, "an array of shape \(array.shape) has \(array.count) elements")
    let again = array.encoded().withUnsafeBytes { try? NPYArray($0) }
    // NaN is not equal to itself.
    if array.floats.contains(where: \.isNaN) { return .read }
    require(again == array, "what is written is what was read")
    return .read
}
