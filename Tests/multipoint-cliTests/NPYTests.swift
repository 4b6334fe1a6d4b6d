import NumPyArrays
import SeededNumbers
import XCTest

@testable import multipoint_cli

final class NPYTests: XCTestCase {
    private func read(_ bytes: [UInt8]) throws -> NPYArray { try bytes.withUnsafeBytes { try NPYArray($0) } }

    private func assertRefused(_ bytes: [UInt8], _ words: String, line: UInt = #line) {
        XCTAssertThrowsError(try read(bytes), line: line) { XCTAssertTrue("\($0)".contains(words), "\($0)", line: line) }
    }

    func testVersionsAndTypes() throws {
        let data: [UInt8] = [1, 0, 0, 0, 0, 0, 0x80, 0xFF]
        for version in 1...3 as ClosedRange<UInt8> {
            func array(_ type: String, _ shape: String) throws -> NPYArray {
                try read(npy("{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }  \n", data, version: version))
            }
            XCTAssertEqual(try array("|u1", "(2, 4)"), NPYArray(shape: [2, 4], elements: .uint8(data)))
            XCTAssertEqual(try array("<i8", "(1,)").elements, .int64([-36_028_797_018_963_967]))
            XCTAssertEqual(try array("<i8", "()"), NPYArray(shape: [], elements: .int64([-36_028_797_018_963_967])))
            XCTAssertEqual(try array("<i4", "(2,)").elements, .int32([1, -8_388_608]))
            // 0xFF800000 is −infinity; 1 is the smallest subnormal.
            XCTAssertEqual(try array("<f4", "(2, 1, 1)").elements, .float32([.leastNonzeroMagnitude, -.infinity]))
        }
    }

    func testHeadersAsPythonMayWriteThem() throws {
        for header in [
            "{\"shape\":(2,),\"descr\":\"|u1\",\"fortran_order\":False}",
            "{ 'shape' : ( 2L , ) , 'fortran_order' : False , 'descr' : '|u1' } \n",
            "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2, 1)}",
        ] {
            XCTAssertEqual(try read(npy(header, [7, 8])).elements, .uint8([7, 8]), header)
        }
    }

    func testRefusals() {
        let good = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"
        let data = [UInt8](repeating: 1, count: 6)
        assertRefused([], "not a .npy file")
        assertRefused(Array("PK\u{3}\u{4} and more".utf8), "not a .npy file")
        assertRefused(npy(good, data, version: 4), "version 4.0")
        assertRefused(npy(good, data + [1]), "too long")
        assertRefused(npy(good.replacingOccurrences(of: "False", with: "True"), data), "Fortran")
        assertRefused(npy(good.replacingOccurrences(of: "|u1", with: "<f8"), data), "`<f8`")
        assertRefused(npy(good.replacingOccurrences(of: "|u1", with: ">f4"), data), "`>f4`")
        assertRefused(npy(good.replacingOccurrences(of: "'|u1'", with: "[('a', '<f4')]"), data), "structured")
        assertRefused(npy(good.replacingOccurrences(of: "2, 3", with: "9223372036854775807, 3"), data), "impossible")
        assertRefused(
            npy(
                good.replacingOccurrences(of: "|u1", with: "<i8").replacingOccurrences(of: "2, 3", with: "4611686018427387904"),
                data), "truncated")
        assertRefused(npy(good.replacingOccurrences(of: "2, 3", with: "-2, -3"), data), "size expected")
        assertRefused(npy(good.replacingOccurrences(of: "2, 3", with: "2.0, 3"), data), "damaged")
        assertRefused(npy(good.replacingOccurrences(of: "False", with: "0"), data), "True or False")
        assertRefused(npy(good.replacingOccurrences(of: "'fortran_order': False, ", with: ""), data), "lacks")
        assertRefused(npy(good.replacingOccurrences(of: "shape", with: "form"), data), "form")
        assertRefused(npy("{'descr': '|u1", data), "does not end")
        assertRefused(npy("", data), "damaged")
    }

    func testEveryTruncation() {
        for version in 1...3 as ClosedRange<UInt8> {
            let bytes = npy(
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", [UInt8](repeating: 1, count: 24), version: version)
            XCTAssertNoThrow(try read(bytes))
            for length in bytes.indices { XCTAssertThrowsError(try read(Array(bytes[..<length]))) }
        }
    }

    /// What numpy.save writes for these arrays, looked at in Python.
    func testWritesWhatNumPyWrites() {
        let array = NPYArray(shape: [2, 3], elements: .float32([0, 1, 2, 3, 4, 5]))
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" + String(repeating: " ", count: 58) + "\n"
        XCTAssertEqual(
            array.encoded(),
            [0x93] + Array("NUMPY".utf8) + [1, 0, 0x76, 0] + Array(header.utf8) + littleEndian([0, 1, 2, 3, 4, 5] as [Float]))
        let vector = NPYArray(shape: [2], elements: .uint8([1, 255])).encoded()
        XCTAssertEqual(vector.count, 130)
        XCTAssertTrue(
            String(decoding: vector[10..<128], as: UTF8.self).hasPrefix(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), } "))
    }

    func testRoundTrip() throws {
        var generator = SeededGenerator(seed: 5)
        for rank in 0...6 {
            let shape = (0..<rank).map { _ in Int.random(in: 0...4, using: &generator) }
            let count = shape.reduce(1, *)
            for elements: NPYArray.Elements in [
                .uint8((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }),
                .float32((0..<count).map { _ in Float.random(in: -1...1, using: &generator) }),
                .int32((0..<count).map { _ in Int32.random(in: .min ... .max, using: &generator) }),
                .int64((0..<count).map { _ in Int64.random(in: .min ... .max, using: &generator) }),
            ] {
                let array = NPYArray(shape: shape, elements: elements)
                XCTAssertEqual(try read(array.encoded()), array)
                let encoded = array.encoded()
                XCTAssertEqual((10 + Int(encoded[8]) + Int(encoded[9]) << 8) % 64, 0)
            }
        }
    }

    func testFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.npy", [1, 2, 3])
        XCTAssertThrowsError(try NPYArray(path: path)) { XCTAssertTrue("\($0)".contains("`\(path)`: not a .npy file"), "\($0)") }
        XCTAssertThrowsError(try NPYArray(path: folder.file("missing"))) {
            XCTAssertTrue("\($0)".contains("No such file"), "\($0)")
        }
    }
}
