import CMultipoint
import Headroom
import MultipointFormat
import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// What a `multipoint_packing` points to: the packed arrays as C sees them.
final class PackingHandle: @unchecked Sendable {
    private let packing: Packing
    private let points: OwnedArray<UInt8>
    private let scales: OwnedArray<Float>
    private let codebooks: [OwnedArray<Int8>]
    private let codes: [OwnedArray<UInt8>]
    private let levels: OwnedArray<multipoint_level>

    init(_ packing: Packing) throws {
        let weights = packing.weights
        self.packing = packing
        points = try OwnedArray(weights.points)
        scales = try OwnedArray(weights.scales)
        codebooks = try weights.levels.map { try OwnedArray($0.codebook) }
        codes = try weights.levels.map { level in
            let packing = BitPacking(bits: level.bits, vectorLength: weights.rowLength)
            return try OwnedArray(
                level.codes.withUnsafeBytes { packing.pack($0, vectors: level.codes.count / weights.rowLength) })
        }
        levels = try OwnedArray(
            zip(codebooks, codes).map { book, codes in
                multipoint_level(
                    codebook: book.pointer, codebook_size: book.count, codes: codes.pointer, codes_byte_count: codes.count)
            })
    }

    var weights: multipoint_weights {
        multipoint_weights(
            struct_size: 0, channels: packing.weights.channels, row_length: packing.weights.rowLength, points: points.pointer,
            level_count: levels.count, levels: levels.pointer, scales: scales.pointer, scale_count: scales.count, ladder: nil)
    }

    var errors: [Double] { packing.errors }
}

extension multipoint_packing_options {
    fileprivate func resolved() throws(CallError) -> PackingOptions {
        let family: Codebook.Family?
        switch codebook {
        case MULTIPOINT_CODEBOOK_DEFAULT: family = nil
        case MULTIPOINT_CODEBOOK_ODD: family = .odd
        case MULTIPOINT_CODEBOOK_UNIFORM: family = .uniform
        case MULTIPOINT_CODEBOOK_SUBSET: family = .subset
        default: throw .invalid("`codebook` is \(codebook.rawValue); a multipoint_codebook is expected")
        }
        return PackingOptions(
            bits: bits == 0 ? 4 : Int(bits), codebook: family, maximumPoints: maximum_points == 0 ? 1 : Int(maximum_points),
            epsilon: epsilon, relativeEpsilon: relative_epsilon)
    }
}

@_cdecl("multipoint_packing_create")
public func multipoint_packing_create(
    _ matrix: UnsafePointer<Float>?, _ channels: Int, _ rowLength: Int,
    _ options: UnsafePointer<multipoint_packing_options>?, _ packing: UnsafeMutablePointer<OpaquePointer?>?
) -> multipoint_status {
    call {
        let matrix = try required(matrix, "matrix")
        let packing = try required(packing, "packing")
        var chosen = multipoint_packing_options()
        if let options { chosen = try Multipoint.options(options, "options") }
        let resolved = try chosen.resolved()
        guard channels > 0, rowLength > 0, let count = elementCount(of: [channels, rowLength]), count <= Layer.maximumWeightCount else {
            throw CallError.invalid(
                "`channels` \(UInt(bitPattern: channels)) and `row_length` \(UInt(bitPattern: rowLength)): positive numbers with a product up to \(Layer.maximumWeightCount) are expected")
        }
        try requireMemory(count, of: 64)
        let moment = try chosen.second_moment.map { try secondMoment($0, rowLength) }
        let packed = try packWeights(
            matrix: Array(UnsafeBufferPointer(start: matrix, count: count)), channels: channels, rowLength: rowLength,
            options: resolved, secondMoment: moment)
        packing.pointee = OpaquePointer(retaining: try PackingHandle(packed))
    }
}

private func secondMoment(_ values: UnsafePointer<Float>, _ rowLength: Int) throws -> SecondMoment {
    guard let count = elementCount(of: [rowLength, rowLength]), count <= Layer.maximumWeightCount else {
        throw CallError.invalid("`second_moment`: a matrix of \(rowLength) × \(rowLength) is too large")
    }
    try requireMemory(count, of: 32)
    return try SecondMoment(rowLength: rowLength, matrices: Array(UnsafeBufferPointer(start: values, count: count)))
}

@_cdecl("multipoint_packing_destroy")
public func multipoint_packing_destroy(_ packing: OpaquePointer?) { packing?.release(PackingHandle.self) }

@_cdecl("multipoint_packing_weights")
public func multipoint_packing_weights(
    _ packing: OpaquePointer?, _ weights: UnsafeMutablePointer<multipoint_weights>?
) -> multipoint_status {
    call {
        let handle = try required(packing, "packing").object(PackingHandle.self)
        try fill(weights, "weights") { handle.weights }
    }
}

@_cdecl("multipoint_packing_errors")
public func multipoint_packing_errors(
    _ packing: OpaquePointer?, _ errors: UnsafeMutablePointer<Double>?, _ count: Int
) -> multipoint_status {
    call {
        let handle = try required(packing, "packing").object(PackingHandle.self)
        let errors = try required(errors, "errors")
        guard count == handle.errors.count else {
            throw CallError.invalid("`count`: \(handle.errors.count) channels expected, found \(UInt(bitPattern: count))")
        }
        for (index, error) in handle.errors.enumerated() { errors[index] = error }
    }
}
